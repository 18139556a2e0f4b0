"""Looks at a generation from the store itself, each when it may have changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from api_gateway.parts import Parts
from ops.following import Look
from ops.showing import find_one
from ops.story import Json

#: Seconds without a move until it is looked at all the same: its place in the queue changes so.
QUIET: Final = 1.0


@contextmanager
def looking_at(generation_id: str, parts: Parts) -> Iterator[Look]:
    """Looks that raise GenerationNotFound where there is no such generation."""
    with parts.moves.watch(generation_id) as watch:
        is_first = True

        async def look() -> Json:
            nonlocal is_first
            if not is_first:
                await watch.rung(seconds=QUIET)
            is_first = False
            return (await find_one(parts, generation_id)).as_json()

        yield look
