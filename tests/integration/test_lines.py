"""Who is submitted next: origins in turn, and within one by priority and age."""

from collections import Counter
from datetime import timedelta
from typing import Final

import pytest
from redis.asyncio import Redis

from generations.accepting import Ask
from generations.connection import key
from generations.due import Claim, DueIndex, due_key
from generations.ids import GENERATION, new_id
from generations.indexes import LINES
from generations.limits import Limits, UpstreamLimits
from generations.model import Generation
from generations.origins import OriginStore
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.integration.claiming import FAR, LONG, accept, accept_many, hold, ids, settled

KEEP: Final = timedelta(days=7)


async def claim_next(due: DueIndex, count: int) -> list[Claim]:
    return await due.claim({Lane.SUBMISSIONS: count}, lease=LONG)


async def origins_of(store: GenerationStore, claims: list[Claim]) -> list[str]:
    return [(await store.find(claimed.id)).origin for claimed in claims]


async def post(store: GenerationStore, count: int, *, origin: str) -> None:
    """Many at once, as a batch is accepted."""
    asks = [
        Ask(a_new_generation(id=new_id(GENERATION), origin=origin, webhook=None))
        for _ in range(count)
    ]
    for start in range(0, count, 500):
        await store.accept_all(asks[start : start + 500])


async def grow_old(redis: Redis, generation: Generation, by: timedelta) -> None:
    """As if it had been accepted so much earlier."""
    line = key(f"line:{generation.origin}")
    await redis.zincrby(line, -by.total_seconds() * 1000, generation.id)


@pytest.mark.parametrize("most", [None, 3])
async def test_ten_thousand_of_one_origin_do_not_delay_the_one_of_another(
    most: int | None, store: GenerationStore, store_redis: Redis
) -> None:
    due = DueIndex(store_redis, keep=KEEP, upstream=UpstreamLimits(max_in_flight=most))
    await post(store, 10_000, origin="studio")
    first = await claim_next(due, 2)
    one = await accept(store, origin="archive")
    (claimed,) = await claim_next(due, 1)
    assert claimed.id == one.id
    assert set(await origins_of(store, first)) == {"studio"}


async def test_origins_take_turns_by_their_weights(
    store: GenerationStore, due: DueIndex, origins: OriginStore
) -> None:
    for origin, weight in (("studio", 3), ("archive", None), ("lab", 0.5)):
        await origins.create_key(origin)
        await origins.limit(origin, Limits(weight=weight))
        await post(store, 60, origin=origin)
    claims = [one for _ in range(9) for one in await claim_next(due, 5)]
    assert Counter(await origins_of(store, claims)) == {"studio": 30, "archive": 10, "lab": 5}


async def test_who_was_away_is_not_owed_the_turns_of_the_meantime(
    store: GenerationStore, due: DueIndex
) -> None:
    await post(store, 100, origin="studio")
    await claim_next(due, 50)
    await post(store, 100, origin="archive")
    assert Counter(await origins_of(store, await claim_next(due, 20))) == {
        "studio": 10,
        "archive": 10,
    }


async def test_who_asks_for_one_at_a_time_has_no_more_turns_than_who_waits_with_many(
    store: GenerationStore, due: DueIndex, origins: OriginStore
) -> None:
    await origins.create_key("archive")
    await origins.limit("archive", Limits(weight=0.25))
    await post(store, 60, origin="studio")
    served: list[str] = []
    await accept(store, origin="archive")
    for _ in range(40):
        served += await origins_of(store, await claim_next(due, 1))
        if served[-1] == "archive":
            await accept(store, origin="archive")
    # One turn of five is its share.
    assert 7 <= served.count("archive") <= 9


async def test_the_higher_priority_goes_first_and_age_among_equals(
    store: GenerationStore, due: DueIndex
) -> None:
    low, first, second, high = [await accept(store, priority=p) for p in (-10, 0, 0, 10)]
    claims = [one for _ in range(4) for one in await claim_next(due, 1)]
    assert ids(claims) == [high.id, first.id, second.id, low.id]


async def test_a_step_of_priority_is_worth_ten_minutes_of_waiting(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    old, young = await accept(store, priority=-10), await accept(store, priority=10)
    assert await store.places_in_line([old, young]) == [2, 1]
    await grow_old(store_redis, old, by=timedelta(minutes=201))
    assert await store.places_in_line([old, young]) == [1, 2]
    assert ids(await claim_next(due, 1)) == [old.id]


async def test_the_priority_of_one_origin_is_nothing_to_another(
    store: GenerationStore, due: DueIndex
) -> None:
    for origin, priority in (("studio", 10), ("studio", 10), ("archive", -10), ("archive", -10)):
        await accept(store, origin=origin, priority=priority)
    assert sorted(await origins_of(store, await claim_next(due, 2))) == ["archive", "studio"]


async def test_an_origin_without_room_does_not_stand_in_the_way(
    store: GenerationStore, due: DueIndex, origins: OriginStore, store_redis: Redis
) -> None:
    await origins.create_key("studio")
    await origins.limit("studio", Limits(max_in_flight=1))
    await post(store, 5, origin="studio")
    await post(store, 5, origin="archive")
    claims = await claim_next(due, 10)
    assert Counter(await origins_of(store, claims)) == {"studio": 1, "archive": 5}
    assert await store_redis.zrange(LINES, 0, -1) == []
    await origins.limit("studio", Limits())
    assert len(await claim_next(due, 10)) == 4


async def test_what_was_given_back_is_at_its_old_place(
    store: GenerationStore, due: DueIndex
) -> None:
    first, second, _ = await accept_many(store, 3)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await settled(due, held, Step(due=Due(Lane.SUBMISSIONS)))
    assert ids(await claim_next(due, 2)) == [first.id, second.id]


async def test_what_waits_after_a_failure_is_back_at_its_old_place_when_it_is_due(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    first, second = await accept_many(store, 2)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await settled(due, held, Step(due=Due(Lane.SUBMISSIONS, LONG)))
    assert await store_redis.zscore(key("line:studio"), first.id) is None
    await store_redis.zadd(due_key(Lane.SUBMISSIONS), {first.id: 1})
    assert ids(await claim_next(due, 2)) == [first.id, second.id]


@pytest.mark.parametrize("lost", [LINES, key("line:studio"), due_key(Lane.SUBMISSIONS)])
async def test_a_line_that_was_lost_is_made_anew_by_the_audit(
    lost: str,
    store: GenerationStore,
    due: DueIndex,
    origins: OriginStore,
    store_redis: Redis,
) -> None:
    await origins.create_key("studio")
    low, high = await accept(store), await accept(store, priority=1)
    await store_redis.delete(lost)
    await due.audit(submitting=LONG, longest=FAR)
    assert ids(await claim_next(due, 2)) == [high.id, low.id]
    assert await claim_next(due, 2) == []
