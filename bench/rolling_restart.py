"""What a rolling restart costs: the longest wait from accept to RunComfy while workers restart.

Real parts on this machine: submissions at a steady rate, and each of two workers in turn told
to stop with SIGTERM and started again by the supervisor, as an upgrade does.
"""

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.latency import Quiet, line, seconds
from ops.demo.client import DemoClient
from ops.local import parts
from ops.local.folder import Folder
from ops.local.parts import Part
from ops.local.ports import out_of_the_way
from ops.local.settings import LocalSettings, demo_environment, inherited_environment
from ops.local.stack import LocalStack, Wishes, local_stack

SPEED: Final = "20"
#: Between the restart of one worker and that of the next, and before the first.
PAUSE: Final = 5.0
PATIENCE: Final = 60.0


class Watching(Quiet):
    """Notes when each worker ended and was ready again."""

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}
        self.ready_again = asyncio.Event()

    def ready(self, part: Part, seconds: float) -> None:
        """A worker is back."""
        if part.name in self.ended:
            sys.stderr.write(f"{part.name} is ready again after {seconds:.1f} s\n")
            self.ready_again.set()

    def died(self, part: Part, ending: str, wait: float) -> None:
        """A worker did as it was told."""
        self.ended[part.name] = time.monotonic()
        sys.stderr.write(f"{part.name} ended ({ending}), starts again in {wait} s\n")


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds."""

    #: From accept to RunComfy, of every generation.
    waits: list[float]
    #: From SIGTERM to the end, of each worker.
    stops: list[float]


async def measure(rate: float) -> Measured:
    """Restart each worker once under so many submissions a second."""
    environment = demo_environment(inherited_environment())
    environment["DARKROOM_SIMULATOR_SPEED"] = SPEED
    wishes = Wishes(
        LocalSettings.model_construct(),
        environment,
        out_of_the_way(list(parts.LISTENING)),
        workers=2,
    )
    watching = Watching()
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as path:
        folder = Folder(Path(path))
        folder.make()
        async with local_stack(wishes, folder, watching) as stack, DemoClient(stack) as client:
            ids: list[str] = []
            load = asyncio.create_task(submit_steadily(client, ids, rate))
            stops = await restart_in_turn(stack, watching)
            load.cancel()
            return Measured([await wait_of(client, one) for one in ids], stops)


async def submit_steadily(client: DemoClient, ids: list[str], rate: float) -> None:
    """Submit until cancelled."""
    while True:
        ids.append(await client.submit())
        await asyncio.sleep(1 / rate)


async def restart_in_turn(stack: LocalStack, watching: Watching) -> list[float]:
    """SIGTERM to one worker after the other; how long each took to end."""
    stops = []
    for name in [part.name for part in stack.supervisor.parts if part.name.startswith("worker")]:
        await asyncio.sleep(PAUSE)
        watching.ready_again.clear()
        told = time.monotonic()
        os.kill(stack.supervisor.pids[name], signal.SIGTERM)
        await asyncio.wait_for(watching.ready_again.wait(), PATIENCE)
        stops.append(watching.ended[name] - told)
    await asyncio.sleep(PAUSE)
    return stops


async def wait_of(client: DemoClient, generation_id: str) -> float:
    """Seconds from its acceptance until RunComfy had it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            timeline = (await client.record(generation_id))["timeline"]
            entered = {moment["status"]: moment["at"] for moment in timeline}
            if "in_queue" in entered:
                return seconds(entered["queued"], entered["in_queue"])
            await asyncio.sleep(0.05)


def main() -> None:
    """Measure, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=float, default=20.0, help="submissions a second")
    measured = asyncio.run(measure(arguments.parse_args().rate))
    print(f"Python {platform.python_version()}, {platform.machine()}, {len(measured.waits)} sent\n")
    print(f"{'milliseconds':<46}{'median':>8}{'p90':>8}{'worst':>8}")
    print(line("accept to RunComfy, both workers restarted", measured.waits))
    print(line("SIGTERM to the worker's end", measured.stops))


if __name__ == "__main__":
    main()
