"""Work that nobody waits for any more: on its loop it goes on, and is finished before that ends."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

#: So much of it at once; beyond that whoever began it waits, and begins nothing more.
MOST: Final = 300


class Lingering:
    """What is under way although its task has ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[str]] = set()

    async def wait(
        self, work: Sequence[asyncio.Task[str]], *, patience: timedelta | None
    ) -> set[asyncio.Task[str]]:
        """Wait for all of it, or for as long as the patience lasts; what is done of it."""
        if not work:
            return set()
        seconds = None if patience is None else patience.total_seconds()
        done, rest = await asyncio.wait(work, timeout=seconds)
        if len(self._tasks) + len(rest) > MOST:
            return await self.wait(work, patience=None)
        self._tasks |= rest
        for task in rest:
            task.add_done_callback(self._tasks.discard)
        return done

    async def finish(self) -> None:
        """Wait for what is left of it. Whoever is in a hurry ends the calls that it makes."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))
