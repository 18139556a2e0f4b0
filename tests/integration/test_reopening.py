"""An operator takes a failure back: nothing is paid twice, and no event changes its words."""

from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from generations.due import DueIndex
from generations.lifecycle import DeliveryStatus, Status
from generations.model import ErrorCode, Generation
from generations.presentation import event_body
from generations.steps import Lane, Step, fail, finish, is_pointless
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import (
    SUCCEEDED,
    accept,
    bring_to,
    due_times,
    hold,
    settled,
    take_delivery,
)
from tests.integration.test_due_safeguards import uncertain
from tests.integration.test_poison import die_until_set_aside


async def failed_again(store: GenerationStore, due: DueIndex, code: ErrorCode) -> Generation:
    """What is polled fails with this."""
    held, found = await hold(due, Lane.POLLS)
    await settled(due, held, fail(found, code, "No."))
    return await store.find(found.id)


@pytest.mark.parametrize("code", ErrorCode)
async def test_what_an_operator_saw_before_it_went_on_reopens_nothing(
    code: ErrorCode, store: GenerationStore, due: DueIndex
) -> None:
    seen = await uncertain(store, due)
    assert await store.adopt(seen, "rc-1")
    ended = await failed_again(store, due, code)
    assert not await store.resubmit(seen)
    assert not await store.adopt(seen, "rc-2")
    assert await store.find(seen.id) == ended


async def test_a_resubmission_that_is_uncertain_again_is_not_resubmitted_unseen(
    store: GenerationStore, due: DueIndex
) -> None:
    seen = await uncertain(store, due)
    assert await store.resubmit(seen)
    held = await bring_to(due, Status.SUBMITTING)
    lost = fail(await store.find(seen.id), ErrorCode.SUBMISSION_UNCERTAIN, "Lost.")
    await settled(due, held, lost)
    assert not await store.resubmit(seen)
    assert await store.resubmit(await store.find(seen.id))


async def test_a_mistyped_id_is_put_right(store: GenerationStore, due: DueIndex) -> None:
    assert await store.adopt(await uncertain(store, due), "typo")
    ended = await failed_again(store, due, ErrorCode.RESULT_UNAVAILABLE)
    assert not await store.resubmit(ended)
    assert await store.adopt(ended, "rc-1")
    _, found = await hold(due, Lane.POLLS)
    assert (found.runcomfy_request_id, found.misses, found.failures) == ("rc-1", 0, 0)


async def test_what_was_set_aside_after_runcomfy_had_it_is_resumed(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    await bring_to(due, Status.IN_PROGRESS)
    await die_until_set_aside(due, store_redis, Lane.POLLS, generation.id)
    aside = await store.find(generation.id)
    assert not await store.resubmit(aside)
    assert await store.adopt(aside, str(aside.runcomfy_request_id))
    held, found = await hold(due, Lane.POLLS)
    assert (found.status, found.is_set_aside) == (Status.IN_QUEUE, False)
    await settled(due, held, SUCCEEDED)
    ended = await store.find(generation.id)
    assert (ended.status, ended.submissions) == (Status.SUCCEEDED, 1)


@pytest.mark.parametrize("code", sorted(set(ErrorCode) - {ErrorCode.SUBMISSION_UNCERTAIN}))
async def test_only_what_runcomfy_may_have_is_adopted(
    code: ErrorCode, store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_QUEUE)
    await settled(due, held, fail(await store.find(generation.id), code, "No."))
    may_be = code in {ErrorCode.RESULT_UNAVAILABLE, ErrorCode.INTERNAL}
    assert await store.adopt(await store.find(generation.id), "rc-1") is may_be


async def test_an_event_says_the_same_before_and_after_its_generation_goes_on(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await uncertain(store, due)
    told = [event_body(generation, n) for n in (1, 2, 3)]
    assert await store.resubmit(generation)
    assert await bodies(store, generation, told) == told
    held = await bring_to(due, Status.IN_PROGRESS)
    assert await bodies(store, generation, told) == told
    await settled(due, held, SUCCEEDED)
    assert await bodies(store, generation, told) == told


async def bodies(
    store: GenerationStore, generation: Generation, told: Sequence[object]
) -> list[object]:
    """The first events of a generation as they read now."""
    found = await store.find(generation.id)
    return [event_body(found, n) for n in range(1, len(told) + 1)]


async def test_of_an_end_that_was_taken_back_nobody_is_told_any_more_and_of_the_new_one_all_are(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await uncertain(store, due)
    assert await store.adopt(generation, "rc-1")
    held, delivery = await take_delivery(due)
    assert is_pointless(delivery, await store.find(generation.id))
    await settled(due, held, Step(due=None, to=DeliveryStatus.SUPERSEDED))
    polled, found = await hold(due, Lane.POLLS)
    await settled(due, polled, finish(found, Status.SUCCEEDED))
    _, told = await take_delivery(due)
    assert told.event_type == "generation.succeeded"
    assert not is_pointless(told, await store.find(generation.id))
    assert await due_times(store_redis, delivery.id) == {}
