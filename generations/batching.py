"""A Redis client that sends what is asked for at the same time together."""

import asyncio
from time import monotonic
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from generations.metrics import REDIS_SECONDS

#: Batches under way at once; what is asked for meanwhile makes up the next.
MOST_UNDER_WAY: Final = 2
#: So that one large batch keeps nobody waiting who came just after it.
LARGEST_BATCH: Final = 128


class _Asked(NamedTuple):
    command: tuple[Any, ...]
    options: dict[str, Any]
    answer: asyncio.Future[Any]


class BatchingRedis(Redis):
    """Commands of tasks that run side by side share a round trip, and most of its cost.

    Each is answered, fails and is cancelled on its own; a connection that breaks fails those
    that were on it. A command that blocks would keep its batch waiting: none is to be used.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[_Asked] = []
        self._under_way = 0
        #: Held here, because the loop holds tasks only weakly.
        self._sending: set[asyncio.Task[None]] = set()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, and whatever else is asked for in this turn of the loop; its answer."""
        asked = _Asked(args, options, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._under_way < MOST_UNDER_WAY:
            self._under_way += 1
            sending = asyncio.create_task(self._send_waiting())
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        return await asked.answer

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:LARGEST_BATCH]
                del self._waiting[:LARGEST_BATCH]
                await self._send([asked for asked in batch if not asked.answer.done()])
        finally:
            # In the same turn as the last look: a task counts as running for a turn longer,
            # and whoever asked in that turn would wait for a sender that is gone.
            self._under_way -= 1

    async def _send(self, batch: list[_Asked]) -> None:
        pipe = self.pipeline(transaction=False)
        for asked in batch:
            pipe.execute_command(*asked.command, **asked.options)
        began = monotonic()
        try:
            answers = await pipe.execute(raise_on_error=False)
        except Exception as exc:  # Whatever it is, it belongs to those who asked.
            answers = [exc] * len(batch)
        REDIS_SECONDS.observe(monotonic() - began)
        for asked, answer in zip(batch, answers, strict=True):
            _tell(asked.answer, answer)


def _tell(waiting: asyncio.Future[Any], answer: Any) -> None:
    if waiting.done():
        return  # Whoever asked was cancelled.
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
