"""One run: start everything, submit and kill, let it drain, compare."""

import asyncio
import contextlib
import os
import platform
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from bench.chaos.evidence import Evidence
from bench.chaos.killer import Killer, plan_kills
from bench.chaos.origin import ChaosOrigin
from bench.chaos.reading import Records
from bench.chaos.receiver import ChaosReceiver, serving
from bench.chaos.settings import ChaosSettings
from bench.chaos.stalls import stall_of
from bench.chaos.surroundings import Lives, wishes_of
from bench.chaos.verdict import Compared, compare
from ops.local import parts
from ops.local.folder import Folder
from ops.local.stack import LocalStack, local_stack

#: Of the submit phase, without its beginning and its end: that nothing is killed before there
#: is something to lose, and all of it while new work arrives.
KILLING: Final = 0.95


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    compared: Compared
    #: The other figures.
    noted: Mapping[str, Any]

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return self.compared.is_clean

    def as_json(self) -> dict[str, Any]:
        return {**self.compared.as_json(), **self.noted}


class Run:
    """The sides of a run, while it goes on."""

    def __init__(
        self, settings: ChaosSettings, stack: LocalStack, receiver: ChaosReceiver, webhook: str
    ) -> None:
        self.settings = settings
        self.step = "submitting, and killing"
        self.receiver = receiver
        self.records = Records(stack)
        self.killer = Killer(lambda: stack.supervisor.pids)
        self.origin = ChaosOrigin(
            stack.urls[parts.GATEWAY],
            api_key=stack.api_key,
            webhook=webhook,
            replays=settings.replays,
            source=source_of(settings, "origin"),
        )

    async def submit_and_kill(self) -> None:
        """Come back when everything is submitted, and everything killed that was to be."""
        settings = self.settings
        planned = plan_kills(
            kills=settings.kills,
            redis_kills=settings.redis_kills,
            seconds=settings.seconds * KILLING,
            source=source_of(settings, "kills"),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self.killer.carry_out(planned))
            group.create_task(self.origin.submit_all(settings.n, seconds=settings.seconds))

    async def drain(self) -> None:
        """Come back when everything has ended, or had long enough to."""
        self.step = "draining"
        accepted = [s.generation_id for s in self.origin.submissions if s.generation_id]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain):
                await self.records.until_ended(accepted)

    async def evidence(self) -> Evidence:
        """What each side knows now."""
        return Evidence(
            self.origin.submissions,
            self.records.found,
            await self.records.ledger(),
            self.receiver.arrivals,
        )


Watch = Callable[[Run], Coroutine[Any, Any, None]]


async def run_chaos(
    settings: ChaosSettings, folder: Folder, *, watch: Watch | None = None
) -> Outcome:
    """Do it all in an empty folder; when this ends, however it ends, so has everything.

    Raises:
        CannotRun: the stack cannot be started.
    """
    lives, began = Lives(), time.time()
    async with _running(settings, folder, lives) as run:
        watching = asyncio.create_task(watch(run)) if watch else None
        try:
            await run.submit_and_kill()
            submitted_at = time.time()
            await run.drain()
            ended_at = time.time()
        finally:
            if watching:
                watching.cancel()
        evidence = await run.evidence()
        noted = {
            "kills": run.killer.kills,
            "redis_kills": run.killer.redis_kills,
            "longest_stall_s": round(stall_of(evidence, ended_at=ended_at), 1),
            "drain_s": round(ended_at - submitted_at, 1),
            "deaths": dict(sorted(lives.deaths.items())),
            "faults": await run.records.faults(),
        }
    around = {"seconds": round(time.time() - began, 1), "seed": settings.seed, "machine": machine()}
    return Outcome(compare(evidence), noted | around)


@asynccontextmanager
async def _running(settings: ChaosSettings, folder: Folder, lives: Lives) -> AsyncIterator[Run]:
    folder.make()
    async with local_stack(wishes_of(settings), folder, lives) as stack:
        receiver = ChaosReceiver(
            stack.plan.webhook_secret.split()[0],
            failures=settings.receiver_failures,
            source=source_of(settings, "receiver"),
        )
        async with serving(receiver) as webhook:
            run = Run(settings, stack, receiver, webhook)
            try:
                yield run
            finally:
                await run.records.close()


def source_of(settings: ChaosSettings, name: str) -> random.Random:
    """A random source of its own for each use, so that one's draws do not change another's."""
    return random.Random(f"{settings.seed} {name}")


def machine() -> str:
    """What the figures hold for."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{system}, Python {platform.python_version()}"
