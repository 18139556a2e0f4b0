"""Records in pages, the newest first: of one origin, or of all for an operator.

A page costs the same whatever else is kept: the index of creation leads to its rows, and no
more than ``MOST_LOOKED_AT`` of them are looked at, whether they fit the filter or not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar, cast

from redis.asyncio import Redis

from generations.connection import key, reaching_store
from generations.model import Generation
from generations.records import Fields, read_generation
from generations.selection import Filter, Place

#: Rows looked at for one page, about: after so many it ends early.
MOST_LOOKED_AT: Final = 2000
#: Rows looked at in one round trip.
STEP: Final = 200

_INDEX: Final = key("generations")
_R = TypeVar("_R")


class Wanted(Protocol):
    """Which rows are meant, as ``selection.py`` has it."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that :meth:`fits` looks at; the first is one that every record has."""

    def fits(self, fields: Mapping[str, str | None], /) -> bool:
        """Whether a record is meant."""

    def between(self, place: Place | None, /) -> tuple[str, str]:
        """The newest and the oldest that are meant, as Redis takes bounds."""


@dataclass(frozen=True, slots=True)
class Page(Generic[_R]):
    """Some records, the newest first."""

    rows: list[_R]
    #: Where to go on; None where nothing that fits comes after these.
    next: Place | None


def index_of(origin: str | None) -> str:
    """The sorted set of an origin's ids by creation (ms); without an origin, that of all."""
    return f"{_INDEX}:{origin}" if origin else _INDEX


class Rows(Generic[_R]):
    """Pages of the records that an index leads to; raises StoreUnavailable."""

    def __init__(self, redis: Redis, read: Callable[[str, Fields], _R]) -> None:
        self._redis = redis
        self._read_one = read

    @reaching_store
    async def read(
        self, index: str, wanted: Wanted, *, limit: int, after: Place | None = None
    ) -> Page[_R]:
        """At most so many records that fit; fewer, even none, where a page ends early.

        Read on from ``next`` until there is none, and each row that was there at the start
        and is there still comes exactly once, whatever comes and goes meanwhile.
        """
        found: list[tuple[Place, _R]] = []
        looked_at, place, step = 0, after, limit + 1
        while looked_at < MOST_LOOKED_AT:
            places = await self._places(index, wanted, place, step)
            if not places:
                return Page([row for _, row in found], None)
            fitting = await self._fitting(index, places, wanted)
            # One more than is asked for shows that there is more.
            found += await self._read(fitting, wanted, limit + 1 - len(found))
            if len(found) > limit:
                return Page([row for _, row in found[:limit]], found[limit - 1][0])
            looked_at, place, step = looked_at + len(places), places[-1], STEP
        return Page([row for _, row in found], place)

    async def _places(
        self, index: str, wanted: Wanted, after: Place | None, step: int
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
            places = [Place(int(score), record_id) for record_id, score in rows]
            older = [place for place in places if after is None or place < after]
            if older or len(places) < step:
                return older
            # All of these were put there in the millisecond of the place, and come before it.
            offset, step = offset + step, STEP

    async def _fitting(self, index: str, places: Sequence[Place], wanted: Wanted) -> list[Place]:
        """Those that fit, by the fields that tell."""
        names = wanted.fields
        proof = names[0]
        async with self._redis.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.hmget(key(place.id), names)
            read = [dict(zip(names, texts, strict=True)) for texts in await pipe.execute()]
        rows = list(zip(places, read, strict=True))
        # Records expire before their entries, and never come back.
        if expired := [place.id for place, fields in rows if fields[proof] is None]:
            await self._redis.zrem(index, *expired)
        return [p for p, fields in rows if fields[proof] is not None and wanted.fits(fields)]

    async def _read(
        self, places: Sequence[Place], wanted: Wanted, most: int
    ) -> list[tuple[Place, _R]]:
        """The first records of these, about so many, that fit still."""
        found: list[tuple[Place, _R]] = []
        step = min(most, STEP)
        for start in range(0, len(places), step):
            if len(found) >= most:
                break
            rows = await self._read_hashes(places[start : start + step])
            # A record may have moved, or expired, since its fields were looked at.
            found += [(p, self._read_one(p.id, f)) for p, f in rows if f and wanted.fits(f)]
        return found

    async def _read_hashes(self, places: Sequence[Place]) -> list[tuple[Place, Fields]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.hgetall(key(place.id))
            return list(zip(places, await pipe.execute(), strict=True))


class Listing:
    """Pages of generations; raises StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._rows = Rows(redis, read_generation)

    async def page(
        self, wanted: Filter, *, origin: str | None, limit: int, after: Place | None = None
    ) -> Page[Generation]:
        """As :meth:`Rows.read`, of an origin's generations; of everybody's without one."""
        return await self._rows.read(index_of(origin), wanted, limit=limit, after=after)
