"""The supervisor: a keeper for each part, and a warden for the case that it cannot do its work."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ops.local import warden
from ops.local.keeper import Audience, Keeper, Surroundings
from ops.local.parts import Part


class Supervisor:
    """Keeps parts alive until it is told to stop."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._keepers: list[Keeper] = []

    def start(self, part: Part) -> None:
        """Start a part and keep it alive from now on."""
        self._keepers.append(Keeper(part, self._around))

    async def until_ready(self) -> None:
        """Come back when every part that was started is ready.

        Raises:
            PartCannotStart: one of them ends again and again instead.
        """
        # Shielded: whoever is interrupted while waiting here still stops the parts.
        await asyncio.gather(*(asyncio.shield(keeper.first_ready) for keeper in self._keepers))

    @property
    def parts(self) -> list[Part]:
        """What was started, in that order."""
        return [keeper.part for keeper in self._keepers]

    @property
    def pids(self) -> dict[str, int]:
        """The processes of the parts that live now."""
        return {k.part.name: k.process.pid for k in self._keepers if k.process}

    async def end(self, name: str, *, grace: float) -> None:
        """End one part, and keep it no longer."""
        keeper = next(keeper for keeper in self._keepers if keeper.part.name == name)
        await keeper.stop(grace=grace)
        self._keepers.remove(keeper)

    async def stop(self, *, grace: float) -> None:
        """End every part, the last first; what does not end within the grace is killed."""
        while self._keepers:
            await self._keepers[-1].stop(grace=grace)
            self._keepers.pop()

    def kill(self) -> None:
        """End every part by force, now; for those who cannot wait for :meth:`stop`."""
        for keeper in self._keepers:
            keeper.kill()


@asynccontextmanager
async def supervising(
    *,
    environment: Mapping[str, str],
    folder: Path,
    log_of: Callable[[str], Path],
    audience: Audience,
    grace: float = 30.0,
    held: Sequence[int] = (),
) -> AsyncIterator[Supervisor]:
    """A supervisor; when this ends, however it ends, so have all its parts.

    Ctrl-C, SIGTERM and SIGHUP cancel the task that entered it; a second one kills the parts.
    ``held`` are files that stay open as long as any part may live, also if this process dies.
    """
    unbuffered = {**environment, "PYTHONUNBUFFERED": "1"}
    async with _warden(held) as tell_warden:
        around = Surroundings(unbuffered, folder, log_of, audience, tell_warden)
        supervisor = Supervisor(around)
        with _ended_by_signals(supervisor):
            try:
                yield supervisor
            finally:
                await supervisor.stop(grace=grace)


@contextmanager
def _ended_by_signals(supervisor: Supervisor) -> Iterator[None]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # Only tasks run coroutines here.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    is_told = False

    def tell() -> None:
        nonlocal is_told
        if is_told:
            supervisor.kill()
        else:
            task.cancel()
        is_told = True

    for number in numbers:
        loop.add_signal_handler(number, tell)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _warden(held: Sequence[int]) -> AsyncIterator[Callable[[str, int], None]]:
    process = await _start_warden(held)
    assert process.stdin is not None  # noqa: S101  # It was started with a pipe.
    stdin = process.stdin

    def tell(sign: str, group: int) -> None:
        stdin.write(f"{sign}{group}\n".encode())

    try:
        yield tell
    finally:
        stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stdin.wait_closed()
        await process.wait()


async def _start_warden(held: Sequence[int]) -> Process:
    # Its output goes nowhere: it must not hold a pipe open that somebody reads to its end.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", warden.__file__),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
        pass_fds=held,
        start_new_session=True,
    )
