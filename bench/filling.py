"""Generations in flight, put on record by the store's own accept and settle, many at a time.

It stands in for the gateway's accepts and the worker's submissions where these are not measured:
what is on record is the same, field by field.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from generations.accepting import Ask
from generations.connection import connect
from generations.due import DueIndex
from generations.ids import GENERATION, new_id
from generations.lifecycle import Status
from generations.model import NewGeneration
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore

ORIGIN: Final = "bench"
MODEL_ID: Final = "bytedance/seedance-1.5-pro/image-to-video"
KEEP: Final = timedelta(days=7)
PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Filler:
    """Writes what others then poll."""

    store: GenerationStore
    due: DueIndex

    async def fill(
        self, request_ids: list[str], *, within: timedelta, progress: Callable[[int], None]
    ) -> list[str]:
        """One generation in progress for each of RunComfy's ids, due at any time within so long."""
        filled: list[str] = []
        for start in range(0, len(request_ids), PAGE):
            page = request_ids[start : start + PAGE]
            accepted = await self.store.accept_all([Ask(asked()) for _ in page])
            ids = [found[0].id for found in accepted if isinstance(found, tuple)]
            for steps in moves(page, within):
                await asyncio.gather(*map(self._apply, ids, steps))
            filled += ids
            progress(len(filled))
        return filled

    async def _apply(self, generation_id: str, step: Step) -> None:
        lane = Lane.POLLS if step.to is Status.IN_PROGRESS else Lane.SUBMISSIONS
        guard: dict[str, Any] = {}
        outcome, _ = await self.due.apply(generation_id, lane, step, guard, origin=ORIGIN)
        assert outcome == "settled", outcome


def asked() -> NewGeneration:
    """A generation with an input of some 600 bytes and an endpoint to tell."""
    given = {
        "prompt": "A slow dolly shot through a darkroom at night, " * 9,
        "image_url": "https://images.example/uploads/2026/11/negative-0001.png",
        "duration": 5,
        "resolution": "720p",
        "seed": random.randrange(2**31),
    }
    return NewGeneration(
        new_id(GENERATION), ORIGIN, MODEL_ID, given, webhook="https://origin.example/callbacks"
    )


def moves(request_ids: list[str], within: timedelta) -> Iterator[list[Step]]:
    """What a worker writes of each: the intent, RunComfy's id, and that it has begun."""
    intent = Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS), add={"submissions": 1})
    yield [intent] * len(request_ids)
    yield [
        Step(to=Status.IN_QUEUE, due=Due(Lane.POLLS, within), set={"runcomfy_request_id": one})
        for one in request_ids
    ]
    yield [
        Step(to=Status.IN_PROGRESS, due=Due(Lane.POLLS, within * random.random()))
        for _ in request_ids
    ]


@asynccontextmanager
async def filling(redis_url: str) -> AsyncIterator[Filler]:
    """A filler on connections of its own."""
    redis = connect(redis_url)
    store = GenerationStore(redis, deadline=timedelta(hours=24), keep=KEEP)
    try:
        yield Filler(store, DueIndex(redis, keep=KEEP))
    finally:
        await redis.aclose()
