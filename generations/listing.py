"""Generations in pages, the newest first: of one origin, or of all for an operator.

A page costs the same whatever else is kept: the index of creation leads to its rows, and no
more than ``MOST_LOOKED_AT`` of them are looked at, whether they fit the filter or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from redis.asyncio import Redis

from generations.connection import key, reaching_store
from generations.model import Generation
from generations.records import Fields, read_generation, to_ms
from generations.selection import Filter, Place

#: Rows looked at for one page, about: after so many it ends early.
MOST_LOOKED_AT: Final = 2000
#: Rows looked at in one round trip.
STEP: Final = 200

_INDEX: Final = key("generations")


@dataclass(frozen=True, slots=True)
class Page:
    """Some generations, the newest first."""

    generations: list[Generation]
    #: Where to go on; None where nothing that fits comes after these.
    next: Place | None


def index_of(origin: str | None) -> str:
    """The sorted set of an origin's ids by creation (ms); without an origin, that of all."""
    return f"{_INDEX}:{origin}" if origin else _INDEX


class Listing:
    """Pages of generations; raises StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @reaching_store
    async def page(
        self, wanted: Filter, *, origin: str | None, limit: int, after: Place | None = None
    ) -> Page:
        """At most so many generations that fit; fewer, even none, where a page ends early.

        Read on from ``next`` until there is none, and each row that was there at the start
        and is there still comes exactly once, whatever comes and goes meanwhile.

        Args:
            origin: whose; None for everybody's.
        """
        index = index_of(origin)
        found: list[Generation] = []
        looked_at, place, step = 0, after, limit + 1
        while looked_at < MOST_LOOKED_AT:
            places = await self._places(index, wanted, place, step)
            if not places:
                return Page(found, None)
            ids = await self._fitting(index, places, wanted)
            # One more than is asked for shows that there is more.
            found += await self._read(ids, wanted, limit + 1 - len(found))
            if len(found) > limit:
                return Page(found[:limit], _place_of(found[limit - 1]))
            looked_at, place, step = looked_at + len(places), places[-1], STEP
        return Page(found, place)

    async def _places(
        self, index: str, wanted: Filter, after: Place | None, step: int
    ) -> list[Place]:
        """The next places after one; none where there are none."""
        newest, oldest = wanted.between(after)
        offset = 0
        while True:
            found = await self._redis.zrange(
                index,
                newest,
                oldest,
                desc=True,
                byscore=True,
                offset=offset,
                num=step,
                withscores=True,
            )
            # redis-py's types leave open what withscores settles.
            rows = cast("list[tuple[str, float]]", found)
            places = [Place(int(score), generation_id) for generation_id, score in rows]
            older = [place for place in places if after is None or place < after]
            if older or len(places) < step:
                return older
            # All of these were accepted in the millisecond of the place, and come before it.
            offset, step = offset + step, STEP

    async def _fitting(self, index: str, places: Sequence[Place], wanted: Filter) -> list[str]:
        """The ids of those that fit, by the fields that tell."""
        names = wanted.fields
        async with self._redis.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.hmget(key(place.id), names)
            read = [dict(zip(names, texts, strict=True)) for texts in await pipe.execute()]
        rows = list(zip(places, read, strict=True))
        # Records expire before their entries, and never come back.
        if expired := [place.id for place, fields in rows if fields["model_id"] is None]:
            await self._redis.zrem(index, *expired)
        return [
            place.id
            for place, fields in rows
            if fields["model_id"] is not None and wanted.fits(fields)
        ]

    async def _read(self, ids: Sequence[str], wanted: Filter, most: int) -> list[Generation]:
        """The first generations of these, about so many, that fit still."""
        found: list[Generation] = []
        step = min(most, STEP)
        for start in range(0, len(ids), step):
            if len(found) >= most:
                break
            rows = await self._read_hashes(ids[start : start + step])
            # A record may have moved, or expired, since its fields were looked at.
            found += [read_generation(i, f) for i, f in rows if f and wanted.fits(f)]
        return found

    async def _read_hashes(self, ids: Sequence[str]) -> list[tuple[str, Fields]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for generation_id in ids:
                pipe.hgetall(key(generation_id))
            return list(zip(ids, await pipe.execute(), strict=True))


def _place_of(generation: Generation) -> Place:
    return Place(to_ms(generation.created_at), generation.id)
