"""A cancel in every status, and in every race with the worker that holds the generation."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.due import DueIndex
from generations.lifecycle import Status
from generations.model import Generation
from generations.steps import Due, Lane, Step, finish
from generations.store import CancelAnswer, GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import (
    INTENDED,
    LONG,
    SUBMITTED,
    accept,
    bring_to,
    claim,
    due_times,
    hold,
    now_ms,
    settled,
    take,
)

NOT_SENT = Step(to=Status.QUEUED, due=Due(Lane.SUBMISSIONS, LONG), add={"submissions": -1})
STILL_RUNNING = Step(due=Due(Lane.POLLS, LONG))


async def cancel(store: GenerationStore, generation: Generation) -> CancelAnswer:
    """As the gateway does: of the record as it is now."""
    return await store.cancel(await store.find(generation.id))


async def is_due_now(redis: Redis, generation: Generation, lane: Lane) -> bool:
    return (await due_times(redis, generation.id))[lane] <= await now_ms(redis)


async def test_what_is_queued_is_cancelled_at_once_and_told(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    assert await cancel(store, generation) is CancelAnswer.CANCELLED
    found = await store.find(generation.id)
    assert found.status is Status.CANCELLED
    assert found.cancel_outcome == "cancelled"
    assert found.cancel_requested_at == found.finished_at
    (delivery,) = await store.find_deliveries(found)
    assert delivery.event_type == "generation.cancelled"
    assert await due_times(store_redis, generation.id) == {}
    assert await due.claim({Lane.SUBMISSIONS: 9, Lane.POLLS: 9}, lease=LONG) == []


async def test_cancelling_twice_tells_once(store: GenerationStore) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    answers = await asyncio.gather(*(store.cancel(generation) for _ in range(5)))
    assert set(answers) == {CancelAnswer.CANCELLED}
    assert await cancel(store, generation) is CancelAnswer.FINISHED
    assert len((await store.find(generation.id)).delivery_ids) == 1


async def test_what_is_claimed_but_not_submitted_is_never_submitted(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    claimed = await claim(due, Lane.SUBMISSIONS)
    assert await cancel(store, generation) is CancelAnswer.CANCELLED
    assert await due.take_generations([claimed], lease=LONG) == []


async def test_what_is_taken_but_not_intended_is_never_submitted(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    assert await cancel(store, generation) is CancelAnswer.CANCELLED
    assert await due.settle(held, INTENDED) is None
    assert (await store.find(generation.id)).submissions == 0


async def test_an_intent_and_a_cancel_at_once_never_both_win(
    store: GenerationStore, due: DueIndex
) -> None:
    for _ in range(20):
        generation = await accept(store)
        held, _ = await hold(due, Lane.SUBMISSIONS)
        answer, intended = await asyncio.gather(
            store.cancel(generation), due.settle(held, INTENDED)
        )
        found = await store.find(generation.id)
        if answer is CancelAnswer.CANCELLED:
            assert intended is None
            assert found.status is Status.CANCELLED
        else:
            assert intended is not None
            assert found.is_cancel_pending
            await settled(due, intended, finish(found, Status.CANCELLED, cancel_outcome="x"))


async def test_what_is_being_submitted_keeps_its_lease(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    held = await settled(due, held, replace(INTENDED, due=Due(Lane.SUBMISSIONS, LONG)))
    before = await due_times(store_redis, generation.id)
    assert await cancel(store, generation) is CancelAnswer.REQUESTED
    assert await due_times(store_redis, generation.id) == before
    found = await store.find(generation.id)
    assert found.status is Status.SUBMITTING
    assert found.is_cancel_pending
    assert await due.settle(held, SUBMITTED) is not None


async def test_what_was_submitted_meanwhile_is_asked_about_at_once(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.SUBMITTING)
    await cancel(store, generation)
    await settled(due, held, replace(SUBMITTED, due=Due(Lane.POLLS, LONG)))
    assert await is_due_now(store_redis, generation, Lane.POLLS)
    _, found = await hold(due, Lane.POLLS)
    assert found.is_cancel_pending


async def test_what_was_proved_not_sent_meanwhile_comes_back_at_once(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.SUBMITTING)
    await cancel(store, generation)
    await settled(due, held, NOT_SENT)
    _, found = await hold(due, Lane.SUBMISSIONS)
    assert found.status is Status.QUEUED
    assert found.is_cancel_pending


async def test_what_waits_to_be_sent_again_is_cancelled_at_once(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.SUBMITTING)
    await settled(due, held, NOT_SENT)
    assert await cancel(store, generation) is CancelAnswer.CANCELLED


async def test_a_look_at_the_record_from_before_does_no_harm(
    store: GenerationStore, due: DueIndex
) -> None:
    queued = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    assert await store.cancel(queued) is CancelAnswer.REQUESTED
    found = await store.find(queued.id)
    assert found.status is Status.IN_PROGRESS
    await settled(due, held, finish(found, Status.SUCCEEDED, output={}))
    assert await store.cancel(queued) is CancelAnswer.FINISHED
    assert await store.cancel(found) is CancelAnswer.FINISHED


@pytest.mark.parametrize("status", [Status.IN_QUEUE, Status.IN_PROGRESS])
async def test_what_runcomfy_has_is_due_now(
    status: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, status)
    await settled(due, held, STILL_RUNNING)
    assert await cancel(store, generation) is CancelAnswer.REQUESTED
    assert await is_due_now(store_redis, generation, Lane.POLLS)
    assert (await store.find(generation.id)).status is status


async def test_a_poll_under_way_does_not_make_a_cancel_wait(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await bring_to(due, Status.IN_QUEUE)
    held, _ = await hold(due, Lane.POLLS)
    await cancel(store, generation)
    await due.settle(held, STILL_RUNNING)
    assert await is_due_now(store_redis, generation, Lane.POLLS)


async def test_a_cancel_that_runcomfy_did_not_answer_waits_as_long_as_it_was_told_to(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await bring_to(due, Status.IN_QUEUE)
    await cancel(store, generation)
    held, found = await hold(due, Lane.POLLS)
    assert found.is_cancel_pending
    await settled(due, held, replace(STILL_RUNNING, cancel_known=True))
    assert not await is_due_now(store_redis, generation, Lane.POLLS)
    assert await due.claim({Lane.POLLS: 1}, lease=LONG) == []


async def test_cancels_during_one_slow_call_take_the_claim_from_nobody(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await settled(due, await bring_to(due, Status.IN_QUEUE), STILL_RUNNING)
    await cancel(store, generation)
    held, _ = await hold(due, Lane.POLLS)
    before = await due_times(store_redis, generation.id)
    for _ in range(12):
        assert await cancel(store, generation) is CancelAnswer.REQUESTED
        assert await due.claim({Lane.POLLS: 1}, lease=LONG) == []
    assert await due_times(store_redis, generation.id) == before
    await settled(due, held, finish(await store.find(generation.id), Status.SUCCEEDED, output={}))


async def test_a_cancel_asked_for_again_takes_nothing_out_of_the_queue(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    await settled(due, await bring_to(due, Status.IN_QUEUE), STILL_RUNNING)
    await cancel(store, generation)
    claimed = await claim(due, Lane.POLLS)
    await cancel(store, generation)
    assert await due.claim({Lane.POLLS: 1}, lease=LONG) == []
    _, found = await take(due, claimed)
    assert found.is_cancel_pending


async def test_an_answered_cancel_hurries_nothing_any_more(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await bring_to(due, Status.IN_PROGRESS)
    await cancel(store, generation)
    held, _ = await hold(due, Lane.POLLS)
    await settled(due, held, replace(STILL_RUNNING, set={"cancel_outcome": "not_cancellable"}))
    assert not await is_due_now(store_redis, generation, Lane.POLLS)
    assert not (await store.find(generation.id)).is_cancel_pending


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
async def test_what_is_finished_stays_as_it_is(
    status: Status, store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    await settled(due, held, Step(to=status, due=None))
    before = await store.find(generation.id)
    assert await cancel(store, generation) is CancelAnswer.FINISHED
    assert await store.find(generation.id) == before


async def test_a_record_that_is_gone_counts_as_finished(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held, found = await take(due, await claim(due, Lane.SUBMISSIONS))
    await store_redis.flushdb()
    assert await store.cancel(generation) is CancelAnswer.FINISHED
    assert await store.cancel(replace(found, status=Status.IN_QUEUE)) is CancelAnswer.FINISHED
    assert await due.settle(held, Step(due=Due(Lane.SUBMISSIONS, timedelta()))) is None
    assert await store_redis.dbsize() == 0
