"""Following one generation: its record whenever it may have moved, and no look between."""

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
    """One caller that follows a generation, until one of both goes.

    It keeps no record: an input may be large, and thousands may wait.
    """

    def __init__(self, generation_id: str, watch: Watch, parts: Parts) -> None:
        #: Whether the caller has gone away.
        self.is_gone = False
        self._id = generation_id
        self._watch = watch
        self._parts = parts
        # What was read before anybody listened may have changed since.
        self._is_fresh = False

    @property
    def is_over(self) -> bool:
        """Whether there is nobody left to wait: the caller has gone, or the gateway stops."""
        return self.is_gone or self._parts.moves.is_over

    async def look(self, *, seconds: float) -> Generation | None:
        """The record as soon as it may have changed; None if it did not within the seconds.

        The first look is at once. While the store is away there is nothing to see, and the
        next call asks again.

        Raises:
            GenerationNotFound: the record is gone.
        """
        if self._is_fresh:
            self._is_fresh = not await self._watch.rung(seconds=seconds)
        if self._is_fresh or self.is_over:
            return None
        try:
            found = await self._parts.store.find(self._id)
        except StoreUnavailable:
            await self._watch.rung(seconds=min(seconds, AGAIN))
            return None
        self._is_fresh = True
        return found

    async def leave_with(self, receive: Receive) -> None:
        """Note that the caller goes away, when it does."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        self._watch.ring()


@asynccontextmanager
async def following(generation_id: str, parts: Parts, receive: Receive) -> AsyncIterator[Follower]:
    """A follower for as long as the context lasts.

    The whole body of the request has been received: all that can come is its caller's leave.
    """
    with parts.moves.watch(generation_id) as watch:
        follower = Follower(generation_id, watch, parts)
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
    async with following(generation.id, parts, receive) as follower:
        while not (follower.is_over or is_enough(generation)):
            left = give_up - time.monotonic()
            if left <= 0:
                break
            generation = await follower.look(seconds=left) or generation
    return generation
