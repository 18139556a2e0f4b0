"""Limits of an origin on a real server: exact, and nothing is spent where nothing is done."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.due import DueIndex
from generations.errors import IdempotencyConflict, OverLimit
from generations.lifecycle import Status
from generations.limits import ACCEPTS, UNFINISHED, Limits, Quota
from generations.model import Generation
from generations.origins import OriginStore
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.integration.claiming import SUCCEEDED, accept, now_ms, settled
from tests.integration.claiming import bring_to as bring_held_to

#: So slow that no token comes back within a test.
ONE: Limits = Limits(accepts_per_second=0.0001)


async def limit(origins: OriginStore, limits: Limits) -> None:
    await origins.create_key("studio")
    await origins.limit("studio", limits)


async def tried(store: GenerationStore, **fields: object) -> Generation | OverLimit:
    try:
        return await accept(store, **fields)
    except OverLimit as refused:
        return refused


async def test_limits_are_kept_and_removed_one_by_one(origins: OriginStore) -> None:
    await limit(origins, Limits(2.5, 7, 3))
    found = await origins.find("studio")
    assert found is not None
    assert found.limits == Limits(2.5, 7, 3)
    await origins.limit("studio", Limits(max_in_flight=3))
    found = await origins.find("studio")
    assert found is not None
    assert found.limits == Limits(max_in_flight=3)


async def test_an_origin_without_limits_has_none(
    store: GenerationStore, origins: OriginStore
) -> None:
    await origins.create_key("studio")
    accepted = await asyncio.gather(*(store.accept_counted(a_new_generation()) for _ in range(50)))
    assert all(quotas == () for _, quotas in accepted)


async def test_of_many_at_once_as_many_are_accepted_as_the_bucket_holds(
    store: GenerationStore, origins: OriginStore, store_redis: Redis
) -> None:
    await limit(origins, Limits(accepts_per_second=20))
    began = await now_ms(store_redis)
    found = await asyncio.gather(*(tried(store) for _ in range(200)))
    took = (await now_ms(store_redis) - began) / 1000
    accepted = sum(isinstance(one, Generation) for one in found)
    assert 20 <= accepted <= 20 + 20 * took + 1


async def test_below_one_a_second_the_bucket_holds_one(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, ONE)
    found = await asyncio.gather(*(tried(store) for _ in range(50)))
    assert sum(isinstance(one, Generation) for one in found) == 1


async def test_tokens_come_back_at_their_rate_and_one_that_is_refused_costs_none(
    store: GenerationStore, origins: OriginStore, store_redis: Redis
) -> None:
    await limit(origins, Limits(accepts_per_second=50))
    began = await now_ms(store_redis)
    accepted = refused = 0
    while accepted <= 60 or not refused:
        is_accepted = isinstance(await tried(store), Generation)
        accepted, refused = accepted + is_accepted, refused + (not is_accepted)
    took = await now_ms(store_redis) - began
    # What the bucket held, and what came back meanwhile.
    assert accepted <= 50 + 50 * took / 1000 + 1


async def test_a_refusal_says_how_long_to_wait_and_waiting_so_long_is_enough(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, Limits(accepts_per_second=2))
    refused: Generation | OverLimit = await accept(store)
    while isinstance(refused, Generation):
        refused = await tried(store)
    (quota,) = refused.quotas
    assert (quota.policy, quota.limit, quota.remaining) == (ACCEPTS, 2, 0)
    assert quota.wait is not None
    assert timedelta() < quota.wait <= timedelta(milliseconds=500)
    await asyncio.sleep(quota.wait.total_seconds())
    assert isinstance(await tried(store), Generation)


async def test_what_is_left_is_told_with_what_is_accepted(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, Limits(accepts_per_second=1000, max_unfinished=3))
    _, quotas = await store.accept_counted(a_new_generation())
    assert quotas[0] == Quota(UNFINISHED, 3, 2)
    assert quotas[1].remaining in {999, 1000}
    assert quotas[1].wait == timedelta()


async def test_of_many_at_once_as_many_are_accepted_as_may_be_unfinished(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, Limits(max_unfinished=7))
    found = await asyncio.gather(*(tried(store) for _ in range(60)))
    accepted = [one for one in found if isinstance(one, Generation)]
    refused = [one for one in found if isinstance(one, OverLimit)]
    assert len(accepted) == 7
    assert {one.quotas for one in refused} == {(Quota(UNFINISHED, 7, 0),)}
    await store.cancel(accepted[0])
    assert isinstance(await tried(store), Generation)
    assert isinstance(await tried(store), OverLimit)


async def test_one_that_ends_makes_room_for_another(
    store: GenerationStore, origins: OriginStore, due: DueIndex
) -> None:
    await limit(origins, Limits(max_unfinished=1))
    await accept(store)
    held = await bring_held_to(due, Status.IN_PROGRESS)
    assert isinstance(await tried(store), OverLimit)
    await settled(due, held, SUCCEEDED)
    assert isinstance(await tried(store), Generation)


async def test_what_another_origin_does_counts_for_nothing(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, Limits(accepts_per_second=0.0001, max_unfinished=1))
    for _ in range(3):
        await accept(store, origin="archive")
    assert isinstance(await tried(store), Generation)


async def test_over_one_limit_nothing_of_the_other_is_spent(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, Limits(accepts_per_second=0.0001, max_unfinished=1))
    first = await accept(store)
    await origins.limit("studio", Limits(accepts_per_second=0.01, max_unfinished=1))
    for _ in range(5):
        assert isinstance(await tried(store), OverLimit)
    await store.cancel(first)
    await origins.limit("studio", Limits(max_unfinished=1))
    assert isinstance(await tried(store), Generation)


@pytest.mark.parametrize("limits", [ONE, Limits(max_unfinished=1)])
async def test_a_replay_is_never_limited_and_spends_nothing(
    limits: Limits, store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, limits)
    first = await store.accept(a_new_generation(), idempotency_key="one")
    for _ in range(5):
        again, quotas = await store.accept_counted(a_new_generation(), idempotency_key="one")
        assert again.id == first.id
        assert quotas == ()
    with pytest.raises(IdempotencyConflict):
        await store.accept(a_new_generation(input={"prompt": "other"}), idempotency_key="one")


async def test_an_accept_whose_answer_was_lost_is_no_second_one(
    store: GenerationStore, origins: OriginStore
) -> None:
    await limit(origins, ONE)
    new = a_new_generation()
    assert await store.accept(new) == await store.accept(new)


@pytest.mark.parametrize("limits", [ONE, Limits(max_unfinished=1)])
async def test_one_that_is_refused_stores_nothing_its_idempotency_key_neither(
    limits: Limits, store: GenerationStore, origins: OriginStore, store_redis: Redis
) -> None:
    await limit(origins, limits)
    await accept(store)
    before = sorted(await store_redis.keys())
    with pytest.raises(OverLimit):
        await store.accept(a_new_generation(), idempotency_key="two")
    assert sorted(await store_redis.keys()) == before
    await origins.limit("studio", Limits())
    other = a_new_generation(input={"prompt": "another body with the same key"})
    assert (await store.accept(other, idempotency_key="two")).id == other.id
