"""Generations in flight: one put on record by the store's own accept and settle, and its copies.

It stands in for the gateway's accepts and the worker's submissions where these are not measured:
what is on record is the same, field by field, and each copy is in every index that the first is
in. Those that are to be older than they are get the instants of their age.
"""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api_gateway.schemas import INPUT, MODEL_ID
from generations.accepting import Ask
from generations.connection import PREFIX, Redis, connect, key
from generations.due import DueIndex, due_key
from generations.durations import KEPT, Ran
from generations.durations_store import DurationStore
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


#: What a worker writes of each: the intent, RunComfy's id, and that it has begun.
MOVES: Final = (
    Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS), add={"submissions": 1}),
    Step(
        to=Status.IN_QUEUE,
        due=Due(Lane.POLLS),
        set={"runcomfy_request_id": "filled", "failures": 0},
    ),
    Step(
        to=Status.IN_PROGRESS,
        due=Due(Lane.POLLS),
        set={"queue_position": None, "failures": 0, "misses": 0, "missing_since": None},
        add={"polls": 1},
    ),
)
#: ARGV[1] what record keys begin with, ARGV[2] the record that is copied, then for each copy its
#: id, when it is due, and its own fields. KEYS[1] is what is to be polled, by when it is due.
COPY: Final = """
for i = 3, #ARGV, 3 do
  local id, own = ARGV[i], cjson.decode(ARGV[i + 2])
  redis.call('COPY', ARGV[2], ARGV[1] .. id)
  redis.call('HSET', ARGV[1] .. id, unpack(own))
  redis.call('ZADD', KEYS[1], ARGV[i + 1], id)
  for k = 2, #KEYS do
    if redis.call('TYPE', KEYS[k]).ok == 'set' then
      redis.call('SADD', KEYS[k], id)
    else
      redis.call('ZADD', KEYS[k], own[4], id)
    end
  end
end
"""


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
        self, begun: Sequence[Begun], *, at: datetime, within: timedelta, webhook: str | None = None
    ) -> list[str]:
        """One generation in progress for each, as of an instant; their ids.

        They are due at any time within so long after it. The one that they are copies of stays.
        """
        (first,) = await self.begin(1, webhook)
        indexes = await indexes_of(self.redis, first)
        copy = self.redis.register_script(COPY)
        filled = [new_id(GENERATION) for _ in begun]
        for start in range(0, len(begun), PAGE):
            end = start + PAGE
            args: list[Any] = [PREFIX, key(first)]
            for one, its_id in zip(begun[start:end], filled[start:end], strict=True):
                due = to_ms(at + within * random.random())
                args += [its_id, due, json.dumps(told_of(one, at))]
            await copy(keys=indexes, args=args)
        return filled

    async def begin(self, count: int, webhook: str | None) -> list[str]:
        """So many that were accepted and submitted just now; their ids."""
        accepted = await self.store.accept_all([Ask(asked(webhook)) for _ in range(count)])
        ids = [found[0].id for found in accepted if isinstance(found, tuple)]
        for step in MOVES:
            lane = Lane.POLLS if step.to is Status.IN_PROGRESS else Lane.SUBMISSIONS
            guard: dict[str, Any] = {}
            for one in ids:
                outcome, _ = await self.due.apply(one, lane, step, guard, origin=ORIGIN)
                assert outcome == "settled", outcome
        return ids


async def indexes_of(redis: Redis, generation_id: str) -> list[str]:
    """The sets and sorted sets that a generation is in, that of what is to be polled first."""
    found = [due_key(Lane.POLLS)]
    async for one in redis.scan_iter(match=f"{PREFIX}*"):
        match await redis.type(one):
            case "set":
                is_in = bool(await redis.sismember(one, generation_id))
            case "zset":
                is_in = await redis.zscore(one, generation_id) is not None
            case _:
                continue
        if is_in and one not in found:
            found.append(one)
    return found


def told_of(one: Begun, at: datetime) -> list[Any]:
    """The fields in which one differs from the others, and what they hold."""
    created = at - one.age
    timeline = [Moment(status, created + after) for status, after in FIRST_MOVES.items()]
    fields: dict[str, Any] = {
        "runcomfy_request_id": one.request_id,
        "created_at": to_ms(created),
        "timeline": write_timeline(timeline),
        "running_since": to_ms(timeline[-2].at),
        "looked_at": to_ms(timeline[-1].at),
    }
    return [str(part) for pair in fields.items() for part in pair]


def asked(webhook: str | None) -> NewGeneration:
    """A generation with an input of some 600 bytes."""
    return NewGeneration(new_id(GENERATION), ORIGIN, MODEL_ID, GIVEN, webhook=webhook)


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


async def teach(redis: Redis, shortest: float, longest: float) -> None:
    """Let the model be known to take any time between the two, in seconds."""
    durations = DurationStore(redis)
    for number in range(KEPT):
        seconds = shortest + (longest - shortest) * (number + 0.5) / KEPT
        await durations.note(MODEL_ID, "", Ran(queued=0.0, least=seconds, most=seconds))
