"""Keeps one part alive: starts it, tells when it is ready, starts it again when it dies."""

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ops.local.errors import PartCannotStart
from ops.local.parts import Part
from ops.local.readiness import until_ready

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 10.0
#: A part that worked for so many seconds, once it was ready, has recovered: its deaths count
#: anew, so that what is killed now and then is never kept waiting for longer and longer.
RECOVERED: Final = 3.0
#: A part that ends so often before it was ever ready cannot start.
STARTS: Final = 3


class Audience(Protocol):
    """Who is told what becomes of the parts."""

    def ready(self, part: Part, seconds: float) -> None:
        """A part is ready, so many seconds after it was started."""

    def died(self, part: Part, ending: str, wait: float) -> None:
        """A part ended by itself, and is started again after so many seconds."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all parts of a stack share."""

    #: Before what each part is told itself.
    environment: Mapping[str, str]
    folder: Path
    log_of: Callable[[str], Path]
    audience: Audience
    #: Told "+" and "-" and a process group.
    tell_warden: Callable[[str, int], None]


def decide_wait(deaths: int) -> float:
    """Seconds until a part that died so often in a row (at least once) is started again."""
    return min(FIRST_WAIT * 2.0 ** min(deaths - 1, 10), LONGEST_WAIT)


def ending_of(code: int) -> str:
    """How a part ended, to follow "it"."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"


class Keeper:
    """Keeps one part alive until :meth:`stop`. Begins at once; lives on one event loop."""

    def __init__(self, part: Part, around: Surroundings) -> None:
        self.part = part
        self.process: Process | None = None
        #: Done when the part is ready for the first time; else a PartCannotStart.
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._around = around
        self._log = around.log_of(part.name)
        self._log.write_bytes(b"")
        self._stopping = asyncio.Event()
        self._grace = 0.0
        #: When the present or last life of the part became ready, if it did.
        self._ready_at: float | None = None
        # Never cancelled: cancelling it while it starts a process would lose that process.
        self._keeping = asyncio.create_task(self._keep(), name=f"keep {part.name}")

    async def stop(self, *, grace: float) -> None:
        """End the part, by force after so many seconds, and keep it no longer."""
        self._grace = grace
        self._stopping.set()
        await self._keeping
        self.first_ready.cancel()

    def kill(self) -> None:
        """End the part by force, now, and keep it no longer."""
        self._stopping.set()
        if self.process is not None:
            kill_group(self.process.pid)

    async def _keep(self) -> None:
        deaths = 0
        while not self._stopping.is_set():
            ending = await self._live()
            if ending is None:
                return
            deaths = 1 if self._has_recovered() else deaths + 1
            if deaths >= STARTS and not self.first_ready.done():
                self.first_ready.set_exception(PartCannotStart(self.part.name, ending))
                return
            wait = decide_wait(deaths)
            self._around.audience.died(self.part, ending, wait)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    def _has_recovered(self) -> bool:
        return self._ready_at is not None and time.monotonic() - self._ready_at > RECOVERED

    async def _live(self) -> str | None:
        """One life of the part: how it ended by itself, or None where it was stopped."""
        self._ready_at = None
        since = self._log.stat().st_size
        process = await self._start()
        self.process = process
        self._around.tell_warden("+", process.pid)
        waiting = [
            asyncio.create_task(process.wait()),
            asyncio.create_task(self._stopping.wait()),
        ]
        watching = asyncio.create_task(self._watch(since))
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in (watching, waiting[1]):
            task.cancel()
        died = not self._stopping.is_set()
        code = await self._end(process)
        await asyncio.gather(watching, *waiting, return_exceptions=True)
        return ending_of(code) if died else None

    async def _start(self) -> Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.part.command,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._around.folder,
                env={**self._around.environment, **self.part.environment},
                # A session of its own: Ctrl-C on the terminal reaches the supervisor alone,
                # and what the part itself starts can be ended with it.
                start_new_session=True,
            )

    async def _watch(self, since: int) -> None:
        began = time.monotonic()
        await until_ready(self.part.ready, log=self._log, since=since)
        self._ready_at = time.monotonic()
        self._around.audience.ready(self.part, self._ready_at - began)
        if not self.first_ready.done():
            self.first_ready.set_result(None)

    async def _end(self, process: Process) -> int:
        """See a part and all that it started to its end; its exit code."""
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self._grace)
        kill_group(process.pid)
        code = await process.wait()
        self._around.tell_warden("-", process.pid)
        self.process = None
        return code


def kill_group(group: int) -> None:
    """End a process group by force, if any of it is left."""
    # macOS answers EPERM for a group of which only the unburied are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
