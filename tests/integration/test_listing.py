"""Pages on a real server: each row once, whatever comes and goes; never too much at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from generations.connection import connect, key
from generations.lifecycle import Status
from generations.listing import MOST_LOOKED_AT, STEP, Listing, Page, index_of
from generations.model import Generation
from generations.records import as_accepted, write_new_generation
from generations.selection import Filter, Place
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.conftest import RedisServer
from tests.integration.claiming import accept, accept_many

#: A database that no other test looks into.
DATABASE: Final = 6
FAILED: Final = Filter(statuses=frozenset({Status.FAILED}))


async def keep(redis: Redis, instants: Sequence[int], **facts: str) -> list[Place]:
    """Rows that were accepted at these instants (ms), with the origin "studio"."""
    places = []
    async with redis.pipeline(transaction=False) as pipe:
        for ms in instants:
            new = a_new_generation()
            fields = {**as_accepted(write_new_generation(new), ms, 60_000), **facts}
            pipe.hset(key(new.id), items=[part for pair in fields.items() for part in pair])
            pipe.zadd(index_of("studio"), {new.id: ms})
            places.append(Place(ms, new.id))
        await pipe.execute()
    return places


async def read_all(
    listing: Listing, wanted: Filter | None = None, *, limit: int = 3, origin: str | None = "studio"
) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    place: Place | None = None
    while True:
        page = await listing.page(wanted or Filter(), origin=origin, limit=limit, after=place)
        assert len(page.rows) <= limit
        ids += [generation.id for generation in page.rows]
        place = page.next
        if place is None:
            return ids


def ids_of(places: Sequence[Place]) -> list[str]:
    """The newest first."""
    return [place.id for place in sorted(places, reverse=True)]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("limit", [1, 3])
async def test_pages_join_without_a_seam(
    count: int, limit: int, store: GenerationStore, listing: Listing
) -> None:
    accepted = await accept_many(store, count)
    found = await read_all(listing, limit=limit)
    assert sorted(found) == sorted(generation.id for generation in accepted)
    listed = [(await store.find(generation_id)).created_at for generation_id in found]
    assert listed == sorted(listed, reverse=True)


async def test_the_last_page_knows_that_it_is_the_last(
    store: GenerationStore, listing: Listing
) -> None:
    await accept_many(store, 4)
    page = await listing.page(Filter(), origin="studio", limit=4)
    assert (len(page.rows), page.next) == (4, None)


async def test_an_origin_lists_its_own(store: GenerationStore, listing: Listing) -> None:
    ours = [await accept(store, origin=origin) for origin in ("studio", "archive", "studio")]
    everybodys = await read_all(listing, origin=None)
    assert sorted(everybodys) == sorted(generation.id for generation in ours)
    assert await read_all(listing, origin="archive") == [ours[1].id]
    assert await read_all(listing, origin="nobody") == []


async def test_a_place_of_another_origin_shows_nothing_of_it(
    store: GenerationStore, listing: Listing
) -> None:
    accepted = [await accept(store, origin=o) for o in ("archive", "studio") * 3]
    studios = (await listing.page(Filter(), origin="studio", limit=1)).next
    page = await listing.page(Filter(), origin="archive", limit=9, after=studios)
    assert {generation.origin for generation in page.rows} <= {"archive"}
    assert {generation.id for generation in page.rows} <= {g.id for g in accepted[::2]}


async def test_what_expired_is_left_out_and_its_entry_forgotten(
    store: GenerationStore, listing: Listing, store_redis: Redis
) -> None:
    accepted = await accept_many(store, 5)
    await store_redis.delete(*(key(generation.id) for generation in accepted[1:4]))
    assert sorted(await read_all(listing, limit=2)) == sorted([accepted[0].id, accepted[4].id])
    assert await store_redis.zcard(index_of("studio")) == 2


async def test_what_is_long_gone_leaves_the_list(
    store: GenerationStore, listing: Listing, store_redis: Redis
) -> None:
    (old,) = await accept_many(store, 1)
    for index in (index_of(None), index_of("studio")):
        await store_redis.zadd(index, {old.id: 1})
    await accept_many(store, 1)
    assert old.id not in await read_all(listing)
    assert old.id not in await read_all(listing, origin=None)


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_more_than_a_step_in_one_millisecond_is_read_once(
    limit: int, listing: Listing, store_redis: Redis, redis_url: str
) -> None:
    assert redis_url
    places = await keep(store_redis, [5_000, *[6_000] * (2 * STEP + 50), 7_000])
    assert await read_all(listing, limit=limit) == ids_of(places)


async def test_a_page_ends_early_where_few_of_many_fit(
    listing: Listing, store_redis: Redis, redis_url: str
) -> None:
    assert redis_url
    (oldest,) = await keep(store_redis, [1], status="failed")
    await keep(store_redis, range(2, MOST_LOOKED_AT + 500))
    first = await listing.page(FAILED, origin="studio", limit=10)
    assert first.rows == []
    assert first.next is not None
    second = await listing.page(FAILED, origin="studio", limit=10, after=first.next)
    assert [generation.id for generation in second.rows] == [oldest.id]
    assert second.next is None


async def test_an_early_page_keeps_what_it_found(
    listing: Listing, store_redis: Redis, redis_url: str
) -> None:
    assert redis_url
    fit = await keep(store_redis, [1, 5_000], status="failed")
    await keep(store_redis, range(2, MOST_LOOKED_AT + 500))
    pages = [await listing.page(FAILED, origin="studio", limit=2)]
    assert [generation.id for generation in pages[0].rows] == [fit[1].id]
    assert await read_all(listing, FAILED, limit=2) == ids_of(fit)


async def test_a_row_that_moves_on_is_not_shown_as_it_was(
    store: GenerationStore, listing: Listing
) -> None:
    generation = await accept(store)
    queued = Filter(statuses=frozenset({Status.QUEUED}))
    assert await read_all(listing, queued) == [generation.id]
    await store.cancel(generation)
    assert await read_all(listing, queued) == []
    assert await read_all(listing, Filter(statuses=frozenset({Status.CANCELLED})))


@dataclass(frozen=True, slots=True)
class Change:
    """What happens between two pages; ``which`` counts from the newest row."""

    do: str
    which: int = 0
    ms: int = 0


@dataclass(slots=True)
class Reader:
    """Reads page after page while rows come and go."""

    redis: Redis
    limit: int
    wanted: Filter
    ids: list[str] = field(default_factory=list)
    place: Place | None = None
    is_at_end: bool = False

    async def read(self) -> None:
        page = await Listing(self.redis).page(
            self.wanted, origin="studio", limit=self.limit, after=self.place
        )
        self.ids += [generation.id for generation in page.rows]
        self.place, self.is_at_end = page.next, page.next is None
        check_order(page, self.place)


def check_order(page: Page[Generation], end: Place | None) -> None:
    """Its rows are in order, and the cursor comes after none that it did not show."""
    shown = [(generation.created_at, generation.id) for generation in page.rows]
    assert shown == sorted(shown, reverse=True)
    assert end is None or Place.of_cursor(end.as_cursor()) == end


async def change(redis: Redis, rows: dict[str, Place], what: Change, newest: int) -> str | None:
    """Make a change; the id of a row that is not there any more for the reader."""
    if what.do == "accept":
        # Redis's clock never goes back, so what is new is as new as the newest, or newer.
        await keep(redis, [newest + what.ms], status="failed")
        return None
    if not rows:
        return None
    row = list(rows.values())[what.which % len(rows)]
    if what.do == "expire":
        await redis.delete(key(row.id))
    elif what.do == "forget":
        await redis.delete(key(row.id))
        await redis.zrem(index_of("studio"), row.id)
    else:
        await redis.hset(key(row.id), "status", "cancelled")
    return row.id


changes: Final = st.builds(
    Change,
    do=st.sampled_from(["accept", "accept", "expire", "forget", "move"]),
    which=st.integers(0, 40),
    ms=st.integers(0, 2),
)


async def read_while_it_changes(
    url: str, instants: list[int], rounds: list[list[Change]], limit: int, wanted: Filter
) -> None:
    redis = connect(url, max_connections=2)
    try:
        await redis.flushdb()
        fitting = await keep(redis, instants, status="failed")
        await keep(redis, [ms + 1 for ms in instants[::2]])  # Never fits, always in between.
        rows = {place.id: place for place in sorted(fitting, reverse=True)}
        gone: set[str] = set()
        reader = Reader(redis, limit, wanted)
        for made in rounds:
            if reader.is_at_end:
                break
            await reader.read()
            for what in made:
                gone |= {str(await change(redis, rows, what, max(instants, default=0) + 2))}
        while not reader.is_at_end:
            await reader.read()
        assert len(reader.ids) == len(set(reader.ids)), "a row came twice"
        stayed = {row_id for row_id in rows if row_id not in gone}
        assert stayed <= set(reader.ids), "a row that stayed was passed over"
        assert [i for i in reader.ids if i in stayed] == [i for i in rows if i in stayed]
    finally:
        await redis.aclose()


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(
    # Few instants, so that many rows share one.
    instants=st.lists(st.integers(1_000, 1_006), max_size=40),
    rounds=st.lists(st.lists(changes, max_size=4), max_size=20),
    limit=st.integers(1, 9),
)
def test_whatever_comes_and_goes_each_row_that_stays_comes_once(
    valkey_server: RedisServer, instants: list[int], rounds: list[list[Change]], limit: int
) -> None:
    url = valkey_server.url(DATABASE)
    asyncio.run(read_while_it_changes(url, instants, rounds, limit, FAILED))


async def test_pages_are_right_while_others_accept_and_records_expire_at_once(
    store: GenerationStore, listing: Listing, store_redis: Redis
) -> None:
    old = await accept_many(store, 60)
    is_read = asyncio.Event()

    async def disturb() -> None:
        expiring = old[::3]
        while not is_read.is_set():
            await asyncio.gather(*(accept(store) for _ in range(5)))
            if expiring:
                await store_redis.delete(key(expiring.pop().id))

    async def read() -> list[str]:
        try:
            return await read_all(listing, limit=2)
        finally:
            is_read.set()

    ids, _ = await asyncio.gather(read(), disturb())
    assert len(ids) == len(set(ids))
    stayed = {generation.id for n, generation in enumerate(old) if n % 3}
    assert stayed <= set(ids)
