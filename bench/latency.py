"""How long Darkroom itself takes, with everything idle: to RunComfy, and back to the origin.

Real parts on this machine, one generation at a time; both figures are differences of instants
that the parts wrote down: the acceptance and the end on Redis's clock, the submission on the
simulator's, the arrival on the inspector's.
"""

import argparse
import asyncio
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from ops.demo.client import DemoClient
from ops.local import parts
from ops.local.folder import Folder
from ops.local.parts import Part
from ops.local.ports import TakenPort, out_of_the_way
from ops.local.settings import LocalSettings, demo_environment, inherited_environment
from ops.local.stack import Wishes, local_stack

#: So that a generation of twenty seconds takes one.
SPEED: Final = "20"
PATIENCE: Final = 30.0


class Quiet:
    """Tells nobody what the stack does."""

    def ready(self, part: Part, seconds: float) -> None:
        """Nothing to say."""

    def died(self, part: Part, ending: str, wait: float) -> None:
        """A part that dies makes a figure worthless."""
        raise SystemExit(f"{part.name} ended ({ending}, {wait} s); measure again.")

    def port_taken(self, taken: TakenPort) -> None:
        """Nothing to say."""


async def measure(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from accept to RunComfy, and from the end to the callback, of so many rounds."""
    environment = demo_environment(inherited_environment())
    environment["DARKROOM_SIMULATOR_SPEED"] = SPEED
    wishes = Wishes(
        LocalSettings.model_construct(), environment, out_of_the_way(list(parts.LISTENING))
    )
    outward: list[float] = []
    back: list[float] = []
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as path:
        folder = Folder(Path(path))
        folder.make()
        async with local_stack(wishes, folder, Quiet()) as stack, DemoClient(stack) as client:
            for number in range(rounds):
                there, here = await one_round(client)
                outward.append(there)
                back.append(here)
                sys.stderr.write(f"round {number + 1} of {rounds}\n")
    return outward, back


async def one_round(client: DemoClient) -> tuple[float, float]:
    """The two waits of one generation, in seconds."""
    generation_id = await client.submit()
    async with asyncio.timeout(PATIENCE):
        callback = await until_callback(client, generation_id)
    record = await client.record(generation_id)
    entries = await client.ledger()
    paid = next(e for e in entries if e["request_id"] == record["runcomfy_request_id"])
    ended = next(m["at"] for m in record["timeline"] if m["status"] == "succeeded")
    return (
        seconds(record["created_at"], paid["accepted_at"]),
        seconds(ended, callback["received_at"]),
    )


async def until_callback(client: DemoClient, generation_id: str) -> dict[str, str]:
    """The callback that told the end, once it is there."""
    while True:
        for callback in await client.callbacks():
            if (callback["body"] or {}).get("data", {}).get("request_id") == generation_id:
                return dict(callback)
        await asyncio.sleep(0.05)


def seconds(earlier: str, later: str) -> float:
    """Between two instants in RFC 3339."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def line(name: str, waits: Sequence[float]) -> str:
    """One row of the table, in milliseconds."""
    ms = sorted(wait * 1000 for wait in waits)
    p90 = ms[int(len(ms) * 0.9)]
    return f"{name:<46}{statistics.median(ms):>8.0f}{p90:>8.0f}{ms[-1]:>8.0f}"


def main() -> None:
    """Measure, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=30)
    outward, back = asyncio.run(measure(arguments.parse_args().rounds))
    print(f"Python {platform.python_version()}, {platform.machine()}, {len(outward)} rounds\n")
    print(f"{'milliseconds':<46}{'median':>8}{'p90':>8}{'worst':>8}")
    print(line("accept to RunComfy having the submission", outward))
    print(line("poll that saw the end to the callback's arrival", back))


if __name__ == "__main__":
    main()
