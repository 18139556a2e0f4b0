"""A record that brings its worker down each time it is taken: set aside, told, in nobody's way."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from generations.connection import key
from generations.due import POISON_TAKES, UNFINISHED, Audited, Claim, DueIndex, due_key
from generations.lifecycle import DeliveryStatus, Status
from generations.listing import Listing
from generations.model import Delivery, ErrorCode, Generation
from generations.selection import Filter
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import (
    FAR,
    LONG,
    SUCCEEDED,
    accept,
    accept_many,
    bring_to,
    claim,
    due_times,
    hold,
    settled,
)

MANY = {Lane.SUBMISSIONS: 9, Lane.POLLS: 9, Lane.DELIVERIES: 9}


async def taken_again(
    due: DueIndex, redis: Redis, lane: Lane
) -> list[tuple[Claim, Generation | Delivery]]:
    """What a worker gets of a whole lane, whose leases have all ended."""
    for record_id in map(str, await redis.zrange(due_key(lane), 0, -1)):
        await redis.zadd(due_key(lane), {record_id: 1})
    claims = await due.claim({lane: 9}, lease=LONG)
    if lane is Lane.DELIVERIES:
        return list(await due.take_deliveries(claims, lease=LONG))
    return list(await due.take_generations(claims, lease=LONG))


async def take_until_set_aside(due: DueIndex, redis: Redis, lane: Lane) -> None:
    """Workers take all of a lane and die of it, until there is nothing left to take."""
    for _ in range(POISON_TAKES):
        assert await taken_again(due, redis, lane)
    assert await taken_again(due, redis, lane) == []


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SUBMITTING, Status.IN_PROGRESS])
async def test_what_brings_its_workers_down_is_set_aside_and_told(
    status: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    if status is not Status.QUEUED:
        await bring_to(due, status)
    lane = Lane.POLLS if status is Status.IN_PROGRESS else Lane.SUBMISSIONS
    await take_until_set_aside(due, store_redis, lane)
    found = await store.find(generation.id)
    assert (found.status, found.is_set_aside) == (Status.FAILED, True)
    assert found.error is not None
    assert found.error.code is ErrorCode.INTERNAL
    (delivery,) = await store.find_deliveries(found)
    assert delivery.event_type == "generation.failed"
    assert await due_times(store_redis, generation.id) == {}
    (told,) = await taken_again(due, store_redis, Lane.DELIVERIES)
    assert told[1] == delivery


async def test_what_has_no_endpoint_is_set_aside_all_the_same(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await take_until_set_aside(due, store_redis, Lane.SUBMISSIONS)
    assert (await store.find(generation.id)).status is Status.FAILED
    assert await store_redis.exists(UNFINISHED) == 0


async def test_those_that_are_taken_with_it_go_on(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    sound, bad, other = await accept_many(store, 3)
    for _ in range(POISON_TAKES + 1):
        taken = await taken_again(due, store_redis, Lane.SUBMISSIONS)
        assert {sound.id, other.id} <= {held.id for held, _ in taken}
        for held, _ in taken:
            if held.id != bad.id:
                await settled(due, held, Step(due=Due(Lane.SUBMISSIONS)))
    assert (await store.find(bad.id)).status is Status.FAILED
    assert {(await store.find(i)).status for i in (sound.id, other.id)} == {Status.QUEUED}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("input", "{"),
        ("timeline", "queued=soon;"),
        ("deadline", ""),
        ("on_uncertain", "perhaps"),
        ("origin", None),
    ],
)
async def test_a_record_that_cannot_be_read_is_set_aside_and_stops_nobody_else(
    field: str, text: str | None, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    bad, sound = await accept(store, webhook=ENDPOINT), await accept(store)
    if text is None:
        await store_redis.hdel(key(bad.id), field)
    else:
        await store_redis.hset(key(bad.id), field, text)
    with capture_logs() as logged:
        for _ in range(POISON_TAKES + 1):
            ((held, found),) = await taken_again(due, store_redis, Lane.SUBMISSIONS)
            assert found == sound
            await settled(due, held, Step(due=Due(Lane.SUBMISSIONS)))
    events = [(entry["event"], entry["id"]) for entry in logged]
    assert events == [("record.unreadable", bad.id)] * POISON_TAKES + [("record.set_aside", bad.id)]
    status, error = await store_redis.hmget(key(bad.id), "status", "error")
    assert status == "failed"
    assert '"internal"' in str(error)
    assert await due_times(store_redis, bad.id) == {}


async def test_a_delivery_that_brings_its_workers_down_is_given_up_and_its_generation_stands(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    await store.cancel(generation)
    await take_until_set_aside(due, store_redis, Lane.DELIVERIES)
    found = await store.find(generation.id)
    (delivery,) = await store.find_deliveries(found)
    assert (delivery.status, delivery.is_set_aside) == (DeliveryStatus.EXHAUSTED, True)
    assert (found.status, found.error) == (Status.CANCELLED, None)
    assert await due.audit(submitting=LONG, longest=FAR) == Audited()


async def test_whose_callback_was_set_aside_is_listed_with_those_that_were(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept_many(store, 2)
    told = await accept(store, webhook=ENDPOINT)
    await store.cancel(told)
    await take_until_set_aside(due, store_redis, Lane.DELIVERIES)
    page = await Listing(store_redis).page(Filter(is_set_aside=True), origin=None, limit=9)
    assert [found.id for found in page.generations] == [told.id]


async def test_a_delivery_of_what_is_gone_is_set_aside_all_the_same(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    await store.cancel(generation)
    await store_redis.delete(key(generation.id))
    await take_until_set_aside(due, store_redis, Lane.DELIVERIES)
    assert not await store_redis.exists(key(generation.id))
    assert await due.audit(submitting=LONG, longest=FAR) == Audited()


async def test_a_settle_in_between_shows_that_a_record_is_sound(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept(store)
    for _ in range(POISON_TAKES + 2):
        held, _ = await hold(due, Lane.SUBMISSIONS)
        await settled(due, held, Step(due=Due(Lane.SUBMISSIONS)))


async def test_messages_that_are_lost_before_a_worker_has_them_do_not_count(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    for _ in range(POISON_TAKES + 2):
        await claim(due, Lane.SUBMISSIONS, lease=timedelta())
    held, found = await hold(due, Lane.SUBMISSIONS)
    assert found == generation
    assert await due.settle(held, Step(due=Due(Lane.SUBMISSIONS))) is not None


async def test_a_late_worker_of_what_was_set_aside_changes_nothing(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    await take_until_set_aside(due, store_redis, Lane.POLLS)
    before = await store.find(generation.id)
    assert await due.settle(held, SUCCEEDED) is None
    assert await store.find(generation.id) == before
    assert await due.claim(MANY, lease=LONG) == []
