"""Moves as they happen: whoever follows a generation is woken, and asks Redis nothing meanwhile.

``settle.lua`` publishes every move of a generation, and RunComfy's word on a cancel, on one
channel: the id, and the number of the last move in the timeline. A process listens over one
connection, whatever the number of its watches. The acceptance, number 1, is not published:
nobody can watch an id that nobody has yet.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from redis.asyncio import Redis

from generations.connection import key, reaching_store
from generations.errors import StoreUnavailable
from generations.logs import logger

CHANNEL: Final = key("moves")
#: Seconds without a word after which the server is asked for one.
QUIET: Final = 5.0
#: Quiet times in a row after which the connection counts as lost.
QUIET_TIMES: Final = 3
#: Seconds, about, between two tries to listen while Redis is away.
AWAY_INTERVAL: Final = 0.5

log = logger(__name__)


class Watch:
    """One waiter's bell. It rings when its generation may have moved, and when all are let go."""

    __slots__ = ("_bell",)

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter, now or when it comes to wait."""
        self._bell.set()

    async def rung(self, *, seconds: float) -> bool:
        """Wait for the bell; False where it stayed silent for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return False
        self._bell.clear()
        return True


class Moves:
    """All watches of a process, and the one connection that rings their bells.

    What moved while the connection was lost is not told again, so each time that it stands
    anew all bells ring once.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watches: dict[str, set[Watch]] = {}
        self._task: asyncio.Task[None] | None = None
        #: False from the first failure on, so that an outage is on the log once.
        self._is_heard = True
        #: Whether waiting is over because the program ends.
        self.is_over = False

    @contextmanager
    def watch(self, generation_id: str) -> Iterator[Watch]:
        """A watch for as long as the context lasts; look at the record once inside it."""
        watch = Watch()
        beside = self._watches.setdefault(generation_id, set())
        beside.add(watch)
        try:
            yield watch
        finally:
            beside.discard(watch)
            if not beside:
                self._watches.pop(generation_id, None)

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Listen for as long as the context lasts."""
        self.start()
        try:
            yield
        finally:
            await self.close()

    def start(self) -> None:
        """Begin to listen, and go on through every outage until :meth:`close`."""
        self._task = asyncio.create_task(self._listen())

    def let_go(self) -> None:
        """Ring every bell, for the last time: the program ends."""
        self.is_over = True
        self._ring_all()

    async def close(self) -> None:
        """Let go, and stop listening."""
        self.let_go()
        while self._task is not None and not self._task.done():
            # Again and again: redis-py loses a cancel that comes while it reads a message.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.1)

    async def _listen(self) -> None:
        while not self.is_over:
            try:
                await self._hear()
            except StoreUnavailable as exc:
                if self._is_heard:
                    log.warning("moves.unheard", cause=type(exc.__cause__).__qualname__)
                self._is_heard = False
                await asyncio.sleep(AWAY_INTERVAL * random.uniform(0.5, 1.5))  # noqa: S311

    @reaching_store
    async def _hear(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            quiet = 0
            while not self.is_over and quiet < QUIET_TIMES:
                message = await channel.get_message(timeout=QUIET)
                quiet = 0 if message else quiet + 1
                if message:
                    self._take(message)
                else:
                    await channel.ping()

    def _take(self, message: dict[str, str]) -> None:
        if message["type"] == "subscribe":
            # Also where redis-py lost the connection and has made it anew by itself.
            if not self._is_heard:
                log.info("moves.heard_again")
            self._is_heard = True
            self._ring_all()
        elif message["type"] == "message":
            generation_id, _, _ = message["data"].partition(" ")
            for watch in self._watches.get(generation_id, ()):
                watch.ring()

    def _ring_all(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.ring()
