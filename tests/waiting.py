"""Waiting for a condition, never for a length of time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

#: Seconds between two looks.
INTERVAL: Final = 0.005
#: Seconds that a condition may take on a busy machine before the test has failed.
PATIENCE: Final = 15.0

_R = TypeVar("_R")


async def eventually(
    look: Callable[[], Awaitable[_R | None]], what: str, *, seconds: float = PATIENCE
) -> _R:
    """The first thing seen that is true (empty is not), within the seconds.

    ``what`` completes "It did not happen that …".
    """
    seen: _R | None = None
    try:
        async with asyncio.timeout(seconds):
            while not (seen := await look()):  # noqa: ASYNC110  # The world sets no event.
                await asyncio.sleep(INTERVAL)
    except TimeoutError:
        raise AssertionError(f"It did not happen that {what} (last seen: {seen!r}).") from None
    return seen
