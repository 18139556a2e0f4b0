"""How long records are kept: unfinished ones for ever, finished ones until their end is told."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.connection import key
from generations.due import DueIndex
from generations.lifecycle import DeliveryStatus, Status, is_finished
from generations.steps import Due, Lane, NewDelivery, Step, finish
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import (
    BEGUN,
    LONG,
    accept,
    bring_to,
    settled,
    take_delivery,
    told_of_success,
)

FINISHED = [status for status in Status if is_finished(status)]
FOR_EVER = -1


@pytest.mark.parametrize("status", [Status.IN_QUEUE, Status.IN_PROGRESS])
async def test_what_is_unfinished_is_kept_for_ever(
    status: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    assert await store_redis.pttl(key(generation.id)) == FOR_EVER
    await bring_to(due, status)
    assert await store_redis.pttl(key(generation.id)) == FOR_EVER


@pytest.mark.parametrize("status", FINISHED)
async def test_what_is_finished_is_kept_for_its_time(
    status: Status, store: GenerationStore, store_redis: Redis
) -> None:
    generation = await accept(store)
    index = DueIndex(store_redis, keep=timedelta(hours=2))
    held = await bring_to(index, Status.IN_PROGRESS)
    await settled(index, held, Step(to=status, due=None))
    assert 0 < await store_redis.pttl(key(generation.id)) <= 7_200_000


async def test_a_delivery_is_kept_for_its_time_once_it_ended(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await told_of_success(store, due)
    held, delivery = await take_delivery(due)
    assert await store_redis.pttl(key(delivery.id)) == FOR_EVER
    await settled(due, held, Step(due=None, to=DeliveryStatus.EXHAUSTED))
    assert await store_redis.pttl(key(delivery.id)) > 0


@pytest.mark.parametrize(
    "end", [DeliveryStatus.DELIVERED, DeliveryStatus.EXHAUSTED, DeliveryStatus.SUPERSEDED]
)
async def test_what_is_to_be_told_is_kept_until_it_was(
    end: DeliveryStatus, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await told_of_success(store, due)
    held, _ = await take_delivery(due)
    held = await settled(due, held, Step(due=Due(Lane.DELIVERIES)))
    assert await store_redis.pttl(key(generation.id)) == FOR_EVER

    await settled(due, held, Step(due=None, to=end))

    assert await store_redis.pttl(key(generation.id)) > 0


async def test_what_is_kept_for_no_time_is_told_all_the_same(
    store: GenerationStore, store_redis: Redis
) -> None:
    forgetful = DueIndex(store_redis, keep=timedelta())
    generation = await told_of_success(store, forgetful)
    held, delivery = await take_delivery(forgetful)
    assert (await store.find(delivery.generation_id)).output == {"video": "https://a/1"}

    await settled(forgetful, held, Step(due=None, to=DeliveryStatus.DELIVERED))

    assert not await store_redis.exists(key(generation.id), key(delivery.id))


async def test_the_end_of_an_earlier_delivery_lets_go_of_nothing(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    held = await bring_to(due, Status.IN_QUEUE)
    told = NewDelivery(ENDPOINT, Status.IN_PROGRESS, generation.origin)
    held = await settled(due, held, Step(to=BEGUN.to, due=Due(Lane.POLLS), tell=told))
    earlier, _ = await take_delivery(due)
    found = await store.find(generation.id)
    await settled(due, held, finish(found, Status.SUCCEEDED))

    await settled(due, earlier, Step(due=None, to=DeliveryStatus.SUPERSEDED))

    assert await store_redis.pttl(key(generation.id)) == FOR_EVER


async def test_what_was_reopened_is_kept_whoever_is_told(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await told_of_success(store, due)
    held, _ = await take_delivery(due)
    await store_redis.sadd(key("unfinished"), generation.id)

    await settled(due, held, Step(due=None, to=DeliveryStatus.DELIVERED))

    assert await store_redis.pttl(key(generation.id)) == FOR_EVER
    assert await due.claim({Lane.POLLS: 1}, lease=LONG) == []
