"""Calls to the outside: what a worker that has to end does not wait for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_R = TypeVar("_R")


class Stopping(Exception):
    """The worker ends, and the call with it."""

    def __init__(self, *, has_begun: bool) -> None:
        super().__init__()
        #: Whether something of the call may have left.
        self.has_begun = has_begun


class Calls:
    """Those under way, to be ended together.

    What is around a call, noting an intent or an answer, is never ended: it is short, and half
    of it would read as a lost answer.
    """

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()
        self._are_over = False

    @property
    def under_way(self) -> int:
        """How many there are now."""
        return len(self._under_way)

    def check(self) -> None:
        """Raise Stopping where no call would be made any more."""
        if self._are_over:
            raise Stopping(has_begun=False)

    async def make(self, call: Coroutine[Any, Any, _R]) -> _R:
        """What a call returns or raises; Stopping where it was ended, or not begun."""
        if self._are_over:
            call.close()
            self.check()
        # In the caller's own task: one of its own would cost as much as writing the answer.
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # Only tasks run coroutines here.
        self._under_way.add(task)
        try:
            return await call
        except asyncio.CancelledError:
            # Whoever else cancelled it means all that the task does.
            if self._are_over and task.uncancel() == 0:
                raise Stopping(has_begun=True) from None
            raise
        finally:
            self._under_way.discard(task)

    def end(self) -> None:
        """End the calls under way, and begin none from now on."""
        self._are_over = True
        for task in self._under_way:
            task.cancel()
