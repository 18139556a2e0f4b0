"""Following one generation: its record, anew whenever it may have moved, and no look between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Receive

from api_gateway.parts import Parts
from generations.errors import StoreUnavailable
from generations.model import Generation
from generations.moves import Watch

#: Seconds until the record is asked for again where the store could not tell it.
AGAIN: Final = 1.0


class Follower:
    """One caller that follows a generation, until one of both goes."""

    def __init__(self, generation: Generation, watch: Watch, parts: Parts) -> None:
        #: As it was at the last look.
        self.generation = generation
        #: Whether the caller has gone away.
        self.is_gone = False
        self._watch = watch
        self._parts = parts
        # It was read before anybody listened for its moves.
        self._is_fresh = False

    @property
    def is_over(self) -> bool:
        """Whether there is nobody left to wait: the caller has gone, or the gateway stops."""
        return self.is_gone or self._parts.moves.is_over

    async def look(self, *, seconds: float) -> None:
        """Wait until the record may have changed, at most so long, and read it if it did.

        While the store is away the record stays as it is; the next call asks again.

        Raises:
            GenerationNotFound: the record is gone.
        """
        if self._is_fresh:
            self._is_fresh = not await self._watch.rung(seconds=seconds)
        if self._is_fresh or self.is_over:
            return
        try:
            self.generation = await self._parts.store.find(self.generation.id)
        except StoreUnavailable:
            await self._watch.rung(seconds=min(seconds, AGAIN))
        else:
            self._is_fresh = True

    async def leave_with(self, receive: Receive) -> None:
        """Note that the caller goes away, when it does."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        self._watch.ring()


@asynccontextmanager
async def following(
    generation: Generation, parts: Parts, receive: Receive
) -> AsyncIterator[Follower]:
    """A follower for as long as the context lasts.

    The whole body of the request has been received: all that can come is its caller's leave.
    """
    with parts.moves.watch(generation.id) as watch:
        follower = Follower(generation, watch, parts)
        leaving = asyncio.create_task(follower.leave_with(receive))
        try:
            yield follower
        finally:
            leaving.cancel()


async def wait_for_end(
    generation: Generation, parts: Parts, receive: Receive, *, seconds: int | None
) -> Generation:
    """The generation once it has ended, or as it is known after so many seconds (None: now).

    A submit waits for the end and not for the next move, which comes within milliseconds and
    tells nothing: so ``Prefer: wait`` is one call for a whole generation that is short.
    """

    def is_enough(found: Generation) -> bool:
        return found.is_finished

    return await wait_until(is_enough, generation, parts, receive, seconds=seconds or 0)


async def wait_until(
    is_enough: Callable[[Generation], bool],
    generation: Generation,
    parts: Parts,
    receive: Receive,
    *,
    seconds: float,
) -> Generation:
    """The generation once it is as asked for, or as it is known after so many seconds.

    Before that if the gateway stops: the record as it is now is an answer at any time.
    """
    if is_enough(generation) or not seconds:
        return generation
    give_up = time.monotonic() + seconds
    async with following(generation, parts, receive) as follower:
        while not (follower.is_over or is_enough(follower.generation)):
            left = give_up - time.monotonic()
            if left <= 0:
                break
            await follower.look(seconds=left)
        return follower.generation
