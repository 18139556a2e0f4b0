"""Settling on a real server: a step is written whole, once, and only where it is allowed."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from generations.connection import PREFIX, key, load_script
from generations.due import Claim, DueIndex, due_key
from generations.lifecycle import DeliveryStatus, Status
from generations.steps import Due, Lane, NewDelivery, Step
from generations.store import GenerationStore
from tests.builders import ENDPOINT, an_attempt
from tests.integration.claiming import (
    BEGUN,
    INTENDED,
    LONG,
    SUBMITTED,
    USUAL_WAY,
    accept,
    bring_to,
    claim,
    due_times,
    hold,
    now_ms,
    settled,
    take_delivery,
    told_of_success,
)

TOLD = NewDelivery(ENDPOINT, Status.SUCCEEDED, "studio")


async def test_a_step_sets_adds_and_stamps(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    before = await now_ms(store_redis)
    facts = {"queue_position": 3, "cost": 2.5, "runcomfy_request_id": "rc-1", "output": ["🐻"]}
    step = Step(
        due=Due(Lane.SUBMISSIONS),
        set=facts,
        add={"polls": 2, "failures": -1},
        stamp=("cancel_requested_at",),
    )
    held = await settled(due, held, step)
    await settled(due, held, replace(step, set={"cost": None}, stamp=()))
    found = await store.find(generation.id)
    assert (found.polls, found.failures) == (4, -2)
    assert (found.queue_position, found.cost, found.output) == (3, None, ["🐻"])
    assert found.cancel_requested_at is not None
    assert before <= found.cancel_requested_at.timestamp() * 1000 <= await now_ms(store_redis)


async def test_the_timeline_has_an_instant_for_every_move(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    await bring_to(due, Status.SUCCEEDED)
    found = await store.find(generation.id)
    assert [moment.status for moment in found.timeline] == [
        "queued",
        *(str(step.to) for step in USUAL_WAY),
    ]
    assert all(earlier.at <= later.at for earlier, later in pairwise(found.timeline))
    assert found.finished_at == found.timeline[-1].at


async def test_staying_where_one_is_makes_no_entry(store: GenerationStore, due: DueIndex) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_QUEUE)
    held = await settled(due, held, Step(due=Due(Lane.POLLS)))
    await settled(due, held, replace(SUBMITTED, set={}))
    assert len((await store.find(generation.id)).timeline) == 3


async def test_the_next_action_is_due_when_the_step_says(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_QUEUE)
    before = await now_ms(store_redis)
    await settled(due, held, Step(due=Due(Lane.POLLS, timedelta(seconds=7.25))))
    times = await due_times(store_redis, generation.id)
    assert before + 7250 <= times[Lane.POLLS] <= await now_ms(store_redis) + 7250


async def test_a_claim_goes_on_in_the_lane_of_its_next_action(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    held = await settled(due, held, INTENDED)
    assert held.lane is Lane.SUBMISSIONS
    assert (await settled(due, held, SUBMITTED)).lane is Lane.POLLS


async def test_a_step_asked_for_again_after_a_lost_answer_is_recognised(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    guard = {"fence": str(held.fence), "next_fence": "4711"}
    step = replace(INTENDED, tell=replace(TOLD, told=Status.SUBMITTING))
    for _ in range(3):
        assert await due.apply(held.id, held.lane, step, guard, origin=held.origin) == (
            "settled",
            "submitting",
        )
    found = await store.find(generation.id)
    assert (found.submissions, len(found.timeline), len(found.delivery_ids)) == (1, 2, 1)
    assert await store_redis.zcard(due_key(Lane.DELIVERIES)) == 1
    # Once the record has gone on, the same step is too late.
    await settled(due, replace(held, fence=4711), replace(SUBMITTED, tell=None))
    assert await due.apply(held.id, held.lane, step, guard, origin=held.origin) == (
        "fenced",
        "in_queue",
    )


async def test_a_take_asked_for_again_after_a_lost_answer_is_recognised(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    claimed = await claim(due, Lane.SUBMISSIONS)
    script = load_script(store_redis, "line", "pace", "take")
    keys = [due_key(Lane.SUBMISSIONS), key(generation.id)]

    async def take_leaving(fence: int) -> int:
        args: list[str | int] = [
            60_000,
            fence,
            9,
            "submission",
            "",
            PREFIX,
            claimed.id,
            claimed.fence,
        ]
        _, (found,), _ = await script(keys=keys, args=args)
        return len(found)

    assert await take_leaving(4711) == await take_leaving(4711) > 0
    assert await take_leaving(4712) == 0


async def test_the_delivery_is_made_in_the_same_step_and_due_at_once(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await told_of_success(store, due)
    (delivery,) = await store.find_deliveries(generation)
    assert generation.delivery_ids == (delivery.id,)
    assert delivery.status is DeliveryStatus.PENDING
    assert (delivery.told, delivery.endpoint, delivery.origin) == (*_told(), "studio")
    assert delivery.created_at == generation.finished_at
    assert delivery.sequence == len(generation.timeline)
    _, taken = await take_delivery(due)
    assert taken == delivery
    assert set(await due_times(store_redis, delivery.id)) == {Lane.DELIVERIES}


def _told() -> tuple[Status, str]:
    return Status.SUCCEEDED, ENDPOINT


async def test_a_refused_step_makes_no_delivery(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    keys = await store_redis.dbsize()
    assert await due.settle(held, Step(to=Status.SUCCEEDED, due=None, tell=TOLD)) is None
    lost = Claim(held.lane, held.id, held.fence + 1)
    assert await due.settle(lost, replace(INTENDED, tell=TOLD)) is None
    assert await store_redis.dbsize() == keys
    assert await store_redis.zcard(due_key(Lane.DELIVERIES)) == 0


async def test_attempts_are_kept_in_order(store: GenerationStore, due: DueIndex) -> None:
    generation = await told_of_success(store, due)
    made = [an_attempt(number=n, status_code=500, error=f"No {n}.\u2028") for n in (1, 2)]
    for attempt in made:
        held, _ = await take_delivery(due)
        await settled(due, held, Step(due=Due(Lane.DELIVERIES), attempt=attempt))
    held, taken = await take_delivery(due)
    assert taken.attempts == tuple(made)
    last = an_attempt(number=3)
    await settled(due, held, Step(due=None, to=DeliveryStatus.DELIVERED, attempt=last))
    (delivery,) = await store.find_deliveries(generation)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert delivery.attempts == (*made, last)
    assert await due.claim({Lane.DELIVERIES: 9}, lease=LONG) == []


async def test_a_delivery_ends_once(store: GenerationStore, due: DueIndex) -> None:
    await told_of_success(store, due)
    held, _ = await take_delivery(due)
    ended = await settled(due, held, Step(due=None, to=DeliveryStatus.DELIVERED))
    assert await due.settle(ended, Step(due=None, to=DeliveryStatus.EXHAUSTED)) is None
    assert await due.settle(ended, Step(due=None, to=DeliveryStatus.PENDING)) is None


async def test_a_submission_proved_not_sent_goes_back_to_its_lane(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.SUBMITTING)
    wait = Due(Lane.SUBMISSIONS, timedelta(seconds=30))
    await settled(due, held, Step(to=Status.QUEUED, due=wait, add={"submissions": -1}))
    found = await store.find(generation.id)
    assert found.submissions == 0
    assert [moment.status for moment in found.timeline] == ["queued", "submitting", "queued"]
    assert set(await due_times(store_redis, generation.id)) == {Lane.SUBMISSIONS}
    assert await due.claim({Lane.SUBMISSIONS: 1}, lease=LONG) == []


async def test_a_step_may_be_only_for_some_statuses(store: GenerationStore, due: DueIndex) -> None:
    await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    picky = Step(due=Due(Lane.POLLS), only_from=frozenset({Status.IN_QUEUE}))
    assert await due.settle(held, picky) is None
    held = await settled(due, held, INTENDED)
    held = await settled(due, held, SUBMITTED)
    held = await settled(due, held, picky)
    assert await due.settle(await settled(due, held, BEGUN), picky) is None


@pytest.mark.parametrize("lane", [Lane.SUBMISSIONS, Lane.POLLS])
async def test_nothing_is_due_later_than_its_deadline(
    lane: Lane, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, deadline=timedelta(minutes=1))
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await settled(due, held, Step(due=Due(lane, timedelta(hours=1))))

    at = await due_times(store_redis, generation.id)
    # At its deadline is what waits in its line; what is queued and does not is due just before.
    assert at == {lane: round(generation.deadline.timestamp() * 1000) - 1}


async def test_what_is_being_submitted_keeps_its_lease_past_its_deadline(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, deadline=timedelta(seconds=1))
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await settled(due, held, replace(INTENDED, due=Due(Lane.SUBMISSIONS, LONG)))

    at = await due_times(store_redis, generation.id)
    assert at[Lane.SUBMISSIONS] > generation.deadline.timestamp() * 1000


async def test_what_has_ended_may_be_due_after_its_deadline(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, deadline=timedelta(milliseconds=1))
    held = await bring_to(due, Status.IN_PROGRESS)
    ended = Step(to=Status.SUCCEEDED, due=Due(Lane.POLLS, LONG), set={"output": {}})
    held = await settled(due, held, ended)
    at = (await due_times(store_redis, generation.id))[Lane.POLLS]
    assert at > await now_ms(store_redis) + LONG.total_seconds() * 500
    assert await store_redis.pttl(key(generation.id)) > 0
    await settled(due, held, replace(ended, to=None, due=None))
    assert await due_times(store_redis, generation.id) == {}
