"""What keeps one bad record or a lost entry from doing more harm."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.connection import key
from generations.due import (
    Audited,
    DueIndex,
    due_key,
)
from generations.lifecycle import DeliveryStatus, Status
from generations.model import ErrorCode, Generation
from generations.steps import Due, Lane, Step, fail
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import (
    FAR,
    LONG,
    accept,
    accept_many,
    bring_to,
    claim,
    due_times,
    hold,
    ids,
    now_ms,
    settled,
    take_delivery,
)

LANE_OF = {Status.QUEUED: Lane.SUBMISSIONS, Status.IN_PROGRESS: Lane.POLLS}
SOON = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "lane"),
    [(Status.QUEUED, Lane.SUBMISSIONS), (Status.IN_QUEUE, Lane.POLLS)],
)
async def test_what_fell_out_of_its_lane_is_put_back(
    status: Status, lane: Lane, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    if status is not Status.QUEUED:
        await bring_to(due, status)
    assert await due.audit(submitting=SOON, longest=FAR) == Audited(looked_at=1)
    await store_redis.delete(due_key(lane))
    assert await due.audit(submitting=SOON, longest=FAR) == Audited(looked_at=1, put_back=1)
    assert (await claim(due, lane)).id == generation.id


async def test_what_may_be_being_submitted_is_left_alone_for_its_time(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await bring_to(due, Status.SUBMITTING)
    await store_redis.delete(due_key(Lane.SUBMISSIONS))
    before = await now_ms(store_redis)
    await due.audit(submitting=SOON, longest=FAR)
    assert (await due_times(store_redis, generation.id))[Lane.SUBMISSIONS] >= before + 60_000


async def set_back(redis: Redis, lane: Lane, *, by: timedelta) -> None:
    """Redis's clock is set back: as good as everything being due so much later."""
    for record_id in await redis.zrange(due_key(lane), 0, -1):
        await redis.zincrby(due_key(lane), by.total_seconds() * 1000, str(record_id))


@pytest.mark.parametrize("status", [Status.QUEUED, Status.IN_PROGRESS, Status.CANCELLED])
async def test_what_is_due_further_ahead_than_anything_may_be_is_due_now(
    status: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    if status is Status.QUEUED:
        held, _ = await hold(due, Lane.SUBMISSIONS)
        await settled(due, held, Step(due=Due(Lane.SUBMISSIONS, timedelta(seconds=1))))
    elif status is Status.IN_PROGRESS:
        await bring_to(due, status)
    elif status is Status.CANCELLED:
        await store.cancel(generation)
    lane = LANE_OF.get(status, Lane.DELIVERIES)
    await set_back(store_redis, lane, by=timedelta(minutes=55))
    assert await due.audit(submitting=SOON, longest=FAR) == Audited(looked_at=1)
    assert await due.claim({lane: 9}, lease=LONG) == []
    await set_back(store_redis, lane, by=timedelta(hours=1))
    found = await due.audit(submitting=SOON, longest=FAR)
    assert found == Audited(looked_at=1, pulled_back=1)
    assert ids(await due.claim({lane: 9}, lease=LONG)) != []


async def test_a_submission_that_may_be_going_on_keeps_its_time_when_the_clock_is_set_back(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await bring_to(due, Status.SUBMITTING)
    await set_back(store_redis, Lane.SUBMISSIONS, by=timedelta(days=3))
    before = await now_ms(store_redis)
    await due.audit(submitting=SOON, longest=FAR)
    at = (await due_times(store_redis, generation.id))[Lane.SUBMISSIONS]
    assert before + 60_000 <= at <= await now_ms(store_redis) + 60_000


async def test_deliveries_are_audited_too_and_what_is_finished_is_not(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await store.cancel(await accept(store, webhook=ENDPOINT))
    await store_redis.delete(due_key(Lane.DELIVERIES))
    assert await due.audit(submitting=SOON, longest=FAR) == Audited(looked_at=1, put_back=1)
    held, _ = await take_delivery(due)
    await settled(due, held, Step(due=None, to=DeliveryStatus.DELIVERED))
    assert await due.audit(submitting=SOON, longest=FAR) == Audited()


async def test_ids_without_a_record_are_forgotten(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    gone, _ = await accept_many(store, 2)
    await store_redis.delete(key(gone.id))
    assert await due.audit(submitting=SOON, longest=FAR) == Audited(looked_at=2, forgotten=1)
    assert await due.audit(submitting=SOON, longest=FAR) == Audited(looked_at=1)


async def test_a_turn_is_taken_by_one(due: DueIndex, redis_url: str) -> None:
    assert redis_url
    turns = await asyncio.gather(*(due.is_my_turn("audit", interval=LONG) for _ in range(8)))
    assert turns.count(True) == 1
    assert await due.is_my_turn("else", interval=LONG)


async def test_a_turn_comes_round_when_the_clock_is_set_back(
    due: DueIndex, store_redis: Redis
) -> None:
    assert await due.is_my_turn("audit", interval=SOON)
    await store_redis.pexpire(key("turn:audit"), timedelta(days=1))
    assert not await due.is_my_turn("audit", interval=SOON)
    assert await due.is_my_turn("audit", interval=SOON)


async def uncertain(store: GenerationStore, due: DueIndex) -> Generation:
    generation = await accept(store, webhook=ENDPOINT)
    held = await bring_to(due, Status.SUBMITTING)
    found = await store.find(generation.id)
    await settled(due, held, fail(found, ErrorCode.SUBMISSION_UNCERTAIN, "Lost."))
    return await store.find(generation.id)


async def test_an_operator_may_submit_again_what_is_uncertain(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await uncertain(store, due)
    answers = await asyncio.gather(*(store.resubmit(generation) for _ in range(4)))
    assert answers.count(True) == 1
    _, found = await hold(due, Lane.SUBMISSIONS)
    assert (found.status, found.error) == (Status.QUEUED, None)
    assert found.possible_duplicate_charge
    assert await store_redis.pttl(key(generation.id)) == -1


async def test_an_operator_may_go_on_with_what_runcomfy_has(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await uncertain(store, due)
    assert await store.adopt(generation, "rc-7")
    _, found = await hold(due, Lane.POLLS)
    assert (found.status, found.runcomfy_request_id) == (Status.IN_QUEUE, "rc-7")


async def test_what_is_certain_is_not_reopened(store: GenerationStore, due: DueIndex) -> None:
    queued = await accept(store)
    assert not await store.resubmit(queued)
    held = await bring_to(due, Status.IN_PROGRESS)
    failed = fail(await store.find(queued.id), ErrorCode.GENERATION_FAILED, "No.")
    await settled(due, held, failed)
    found = await store.find(queued.id)
    assert not await store.resubmit(found)
    assert not await store.adopt(found, "rc-7")
    assert await store.find(queued.id) == found
