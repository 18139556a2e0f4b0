"""Waiting for a condition, never for a length of time."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

#: Seconds between two looks.
INTERVAL: Final = 0.02
#: Seconds that a condition may take on a busy machine before the test has failed.
PATIENCE: Final = 30.0

_R = TypeVar("_R")


def eventually(look: Callable[[], _R | None], what: str, *, seconds: float = PATIENCE) -> _R:
    """The first thing seen that is true (empty is not), within the seconds.

    ``what`` completes "It did not happen that …".
    """
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not happen that {what} (last seen: {seen!r}).")
        time.sleep(INTERVAL)
    return seen
