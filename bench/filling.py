"""Generations in flight, put on record by the store's own accept and settle, many at a time.

It stands in for the gateway's accepts and the worker's submissions where these are not measured:
what is on record is the same, field by field. Those that are to be older than they are get the
instants of their age.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api_gateway.schemas import INPUT, MODEL_ID
from generations.accepting import Ask
from generations.connection import Redis, connect, key
from generations.due import DueIndex
from generations.ids import GENERATION, new_id
from generations.lifecycle import Status
from generations.model import Moment, NewGeneration
from generations.records import to_ms, write_timeline
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore

ORIGIN: Final = "bench"
KEEP: Final = timedelta(days=7)
PAGE: Final = 1000
#: About 600 bytes as JSON.
GIVEN: Final = {**INPUT, "prompt": "A slow dolly shot through a darkroom at night, " * 9}
#: What a first poll sees, and how long after the acceptance.
FIRST_MOVES: Final = {
    Status.QUEUED: timedelta(),
    Status.SUBMITTING: timedelta(milliseconds=5),
    Status.IN_QUEUE: timedelta(milliseconds=60),
    Status.IN_PROGRESS: timedelta(milliseconds=1500),
}


@dataclass(frozen=True, slots=True)
class Begun:
    """One that RunComfy has, under its id, and for how long."""

    request_id: str
    age: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Filler:
    """Writes what others then poll."""

    redis: Redis
    store: GenerationStore
    due: DueIndex

    async def fill(
        self, begun: Sequence[Begun], *, within: timedelta, webhook: str | None = None
    ) -> list[str]:
        """One generation in progress for each, due at any time within so long; their ids."""
        filled: list[str] = []
        for start in range(0, len(begun), PAGE):
            page = begun[start : start + PAGE]
            accepted = await self.store.accept_all([Ask(asked(webhook)) for _ in page])
            ids = [found[0].id for found in accepted if isinstance(found, tuple)]
            for steps in moves(page, within):
                await asyncio.gather(*map(self._apply, ids, steps))
            await asyncio.gather(*map(self._age, ids, page))
            filled += ids
        return filled

    async def _apply(self, generation_id: str, step: Step) -> None:
        lane = Lane.POLLS if step.to is Status.IN_PROGRESS else Lane.SUBMISSIONS
        guard: dict[str, Any] = {}
        outcome, _ = await self.due.apply(generation_id, lane, step, guard, origin=ORIGIN)
        assert outcome == "settled", outcome

    async def _age(self, generation_id: str, begun: Begun) -> None:
        at = datetime.now(UTC) - begun.age
        timeline = [Moment(status, at + after) for status, after in FIRST_MOVES.items()]
        told: dict[Any, Any] = {  # As redis-py's types want it.
            "created_at": to_ms(at),
            "timeline": write_timeline(timeline),
            "running_since": to_ms(timeline[-2].at),
            "looked_at": to_ms(timeline[-1].at),
        }
        await self.redis.hset(key(generation_id), mapping=told)


def asked(webhook: str | None) -> NewGeneration:
    """A generation with an input of some 600 bytes."""
    return NewGeneration(new_id(GENERATION), ORIGIN, MODEL_ID, GIVEN, webhook=webhook)


def moves(begun: Sequence[Begun], within: timedelta) -> Iterator[list[Step]]:
    """What a worker writes of each: the intent, RunComfy's id, and that it has begun."""
    intent = Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS), add={"submissions": 1})
    yield [intent] * len(begun)
    yield [
        Step(
            to=Status.IN_QUEUE,
            due=Due(Lane.POLLS, within),
            set={"runcomfy_request_id": one.request_id, "failures": 0},
        )
        for one in begun
    ]
    facts = {"queue_position": None, "failures": 0, "misses": 0, "missing_since": None}
    yield [
        Step(
            to=Status.IN_PROGRESS,
            due=Due(Lane.POLLS, within * random.random()),
            set=facts,
            add={"polls": 1},
        )
        for _ in begun
    ]


@asynccontextmanager
async def filling(redis_url: str) -> AsyncIterator[Filler]:
    """A filler on connections of its own."""
    redis = connect(redis_url)
    store = GenerationStore(redis, deadline=timedelta(hours=24), keep=KEEP)
    try:
        yield Filler(redis, store, DueIndex(redis, keep=KEEP))
    finally:
        await redis.aclose()


async def used_memory(redis: Redis) -> int:
    """The server's memory, in bytes."""
    return int((await redis.info("memory"))["used_memory"])
