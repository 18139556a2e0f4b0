"""Claims on a real server: everything due is somebody's, and never two people's for long."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.connection import connect, key
from generations.due import Claim, DueIndex
from generations.lifecycle import Status
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.integration.claiming import (
    INTENDED,
    LONG,
    SHORT,
    SUBMITTED,
    accept,
    accept_many,
    bring_to,
    claim,
    due_times,
    hold,
    ids,
    now_ms,
    settled,
    take,
)
from tests.waiting import eventually

WAITING = Step(due=Due(Lane.POLLS), add={"polls": 1})
EVERYTHING = dict.fromkeys(Lane, 100)


async def test_what_was_accepted_is_due_at_once_and_once(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    assert ids(await due.claim(EVERYTHING, lease=LONG)) == [generation.id]
    assert await due.claim(EVERYTHING, lease=LONG) == []


async def test_the_oldest_is_claimed_first_and_no_more_than_asked_for(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    accepted = []
    for _ in range(5):
        generation = await accept(store)
        accepted.append(generation.id)
        await _past(store_redis, generation.created_at.timestamp())
    assert ids(await due.claim({Lane.SUBMISSIONS: 2}, lease=LONG)) == accepted[:2]
    assert ids(await due.claim({Lane.SUBMISSIONS: 0}, lease=LONG)) == []
    assert ids(await due.claim({Lane.POLLS: 9}, lease=LONG)) == []
    assert ids(await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG)) == accepted[2:]


async def _past(redis: Redis, instant: float) -> None:
    async def is_past() -> bool:
        return await now_ms(redis) > round(instant * 1000)

    await eventually(is_past, "a millisecond passes")


async def test_of_many_claimers_each_id_goes_to_one(store: GenerationStore, redis_url: str) -> None:
    accepted = await asyncio.gather(*(accept(store) for _ in range(200)))
    clients = [connect(redis_url, max_connections=4) for _ in range(12)]

    async def claim_all(client: Redis) -> list[Claim]:
        index, found = DueIndex(client, keep=LONG), []
        while claims := await index.claim({Lane.SUBMISSIONS: 7}, lease=LONG):
            found += claims
        return found

    shares = await asyncio.gather(*map(claim_all, clients))
    for client in clients:
        await client.aclose()
    counts = Counter(claimed.id for share in shares for claimed in share)
    assert counts == Counter(generation.id for generation in accepted)


async def test_a_lease_that_ends_is_claimed_again_with_another_fence(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    first = await claim(due, Lane.SUBMISSIONS, lease=SHORT)
    second = await claim(due, Lane.SUBMISSIONS, lease=SHORT)
    third = await claim(due, Lane.SUBMISSIONS)
    assert {first.id, second.id, third.id} == {generation.id}
    assert len({first.fence, second.fence, third.fence}) == 3


async def test_a_claim_holds_for_its_lease(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    before = await now_ms(store_redis)
    await claim(due, Lane.SUBMISSIONS, lease=timedelta(seconds=10))
    due_at = (await due_times(store_redis, generation.id))[Lane.SUBMISSIONS]
    assert before + 10_000 <= due_at <= await now_ms(store_redis) + 10_000


async def test_of_two_copies_of_a_message_one_is_taken(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept(store)
    claimed = await claim(due, Lane.SUBMISSIONS)
    copies = [due.take_generations([claimed], lease=LONG) for _ in range(8)]
    taken = [held for copy in await asyncio.gather(*copies) for held in copy]
    assert len(taken) == 1
    assert await due.take_generations([claimed], lease=LONG) == []


async def test_a_chunk_is_taken_as_far_as_its_claims_hold(
    store: GenerationStore, due: DueIndex
) -> None:
    accepted = await accept_many(store, 3)
    claims = await due.claim({Lane.SUBMISSIONS: 3}, lease=LONG)
    stale = [replace(claims[1], fence=claims[1].fence + 1)]
    unknown = [Claim(Lane.SUBMISSIONS, "gen_unknown", 2)]
    taken = await due.take_generations([claims[0], *stale, *unknown, claims[2]], lease=LONG)
    assert {generation.id for _, generation in taken} == {claims[0].id, claims[2].id}
    assert {held.fence for held, _ in taken}.isdisjoint({claimed.fence for claimed in claims})
    assert {generation.id for generation in accepted} == {claimed.id for claimed in claims}


async def test_nothing_is_taken_where_nothing_is_claimed(due: DueIndex, redis_url: str) -> None:
    assert redis_url
    assert await due.take_generations([], lease=LONG) == []


async def test_what_was_taken_is_read_as_it_is(store: GenerationStore, due: DueIndex) -> None:
    generation = await accept(store, webhook="https://studio.example/", input={"prompt": "🐻"})
    _, found = await hold(due, Lane.SUBMISSIONS)
    assert found == generation


async def test_a_step_for_a_lost_claim_changes_nothing(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    late = await claim(due, Lane.SUBMISSIONS, lease=SHORT)
    held, _ = await take(due, await claim(due, Lane.SUBMISSIONS))
    before = await store_redis.hgetall(key(generation.id))
    times = await due_times(store_redis, generation.id)
    assert await due.settle(late, INTENDED) is None
    assert await due.settle(replace(held, fence=held.fence + 1), INTENDED) is None
    assert await store_redis.hgetall(key(generation.id)) == before
    assert await due_times(store_redis, generation.id) == times
    assert await due.settle(held, INTENDED) is not None


async def test_a_claim_settles_once(store: GenerationStore, due: DueIndex) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_QUEUE)
    outcomes = await asyncio.gather(*(due.settle(held, WAITING) for _ in range(8)))
    assert [outcome is None for outcome in outcomes].count(False) == 1
    assert (await store.find(generation.id)).polls == 1


async def test_a_taker_and_a_claimer_at_the_end_of_a_lease_do_not_both_go_on(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept(store)
    first = await claim(due, Lane.SUBMISSIONS, lease=timedelta())
    taken, claimed_again = await asyncio.gather(
        due.take_generations([first], lease=LONG), due.claim({Lane.SUBMISSIONS: 1}, lease=LONG)
    )
    # Taken first, it is not due for the claimer; claimed first, its fence fits no more.
    assert len(taken) + len(claimed_again) == 1


async def test_a_record_that_is_gone_leaves_its_lane(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    gone, there = await accept_many(store, 2)
    await store_redis.delete(key(gone.id))
    assert ids(await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG)) == [there.id]
    assert await due_times(store_redis, gone.id) == {}


async def test_a_record_that_goes_while_it_is_held_does_not_come_back(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    claimed = await claim(due, Lane.SUBMISSIONS)
    held, _ = await take(due, claimed)
    await store_redis.delete(key(generation.id))
    assert await due.take_generations([claimed], lease=LONG) == []
    assert await due.settle(held, INTENDED) is None
    assert await store_redis.exists(key(generation.id)) == 0


async def test_an_unfinished_record_is_in_exactly_one_lane_and_a_finished_one_in_none(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    assert set(await due_times(store_redis, generation.id)) == {Lane.SUBMISSIONS}
    held, _ = await hold(due, Lane.SUBMISSIONS)
    assert set(await due_times(store_redis, generation.id)) == {Lane.SUBMISSIONS}
    held = await settled(due, held, INTENDED)
    assert set(await due_times(store_redis, generation.id)) == {Lane.SUBMISSIONS}
    held = await settled(due, held, SUBMITTED)
    assert set(await due_times(store_redis, generation.id)) == {Lane.POLLS}
    await settled(due, held, Step(to=Status.SUCCEEDED, due=None))
    assert await due_times(store_redis, generation.id) == {}


@pytest.mark.parametrize("lane", list(Lane))
async def test_an_empty_lane_has_nothing_due(lane: Lane, due: DueIndex, redis_url: str) -> None:
    assert redis_url
    assert await due.claim({lane: 5}, lease=LONG) == []


async def test_the_same_generation_accepted_twice_is_due_once(
    store: GenerationStore, due: DueIndex
) -> None:
    new = a_new_generation()
    await asyncio.gather(*(store.accept(new) for _ in range(5)))
    assert ids(await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG)) == [new.id]
