"""Every status against every other, on a real server: the store allows what the tables list."""

from dataclasses import replace
from itertools import product

import pytest
from redis.asyncio import Redis

from generations.due import Claim, DueIndex
from generations.lifecycle import (
    DELIVERY_MOVES,
    MOVES,
    REOPENINGS,
    DeliveryStatus,
    Status,
    is_finished,
)
from generations.model import ErrorCode, GenerationError
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import accept, bring_to, hold, settled, take_delivery
from tests.integration.engine_world import LANE_OF, World, check_entries

UNCERTAIN = GenerationError(ErrorCode.SUBMISSION_UNCERTAIN, "Lost.")


def a_step(to: Status | DeliveryStatus) -> Step:
    """A step to a status, with whatever comes next there."""
    return Step(to=to, due=None if is_finished(to) else Due(LANE_OF[str(to)]))


async def held_in(status: Status, due: DueIndex) -> Claim:
    """The one generation that is queued, brought to a status and still held."""
    if status is Status.QUEUED:
        held, _ = await hold(due, Lane.SUBMISSIONS)
        return held
    if status in {Status.FAILED, Status.CANCELLED}:
        return await settled(due, await bring_to(due, Status.IN_PROGRESS), a_step(status))
    return await bring_to(due, status)


@pytest.mark.parametrize(("at", "to"), list(product(Status, Status)))
async def test_a_generation_moves_where_the_table_lists_it_and_nowhere_else(
    at: Status, to: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await held_in(at, due)
    before = await World.read(store_redis)
    is_settled = await due.settle(held, a_step(to)) is not None
    world = await World.read(store_redis)
    assert is_settled == (to == at or to in MOVES[at])
    if is_settled:
        new = [] if to == at else [to]
        assert world.timeline(generation.id) == [*before.timeline(generation.id), *new]
        assert world.record(generation.id)["status"] == to
        check_entries(world, set())
    else:
        assert world == before


@pytest.mark.parametrize(("at", "to"), list(product(DeliveryStatus, DeliveryStatus)))
async def test_a_delivery_moves_where_the_table_lists_it_and_nowhere_else(
    at: DeliveryStatus,
    to: DeliveryStatus,
    store: GenerationStore,
    due: DueIndex,
    store_redis: Redis,
) -> None:
    await store.cancel(await accept(store, webhook=ENDPOINT))
    held, delivery = await take_delivery(due)
    held = await settled(due, held, a_step(at))
    before = await World.read(store_redis)
    is_settled = await due.settle(held, a_step(to)) is not None
    world = await World.read(store_redis)
    assert is_settled == (to == at or to in DELIVERY_MOVES[at])
    if is_settled:
        assert world.record(delivery.id)["status"] == to
        check_entries(world, set())
    else:
        assert world == before


@pytest.mark.parametrize("to", [Status.QUEUED, Status.IN_QUEUE])
@pytest.mark.parametrize("at", Status)
async def test_an_operator_reopens_what_the_table_lists_and_nothing_else(
    at: Status, to: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept(store)
    held = await held_in(at, due)
    before = await World.read(store_redis)
    # As an operator may have seen it a moment ago.
    seen = replace(await store.find(held.id), error=UNCERTAIN)
    is_queued = to is Status.QUEUED
    is_reopened = await (store.resubmit(seen) if is_queued else store.adopt(seen, "rc-2"))
    world = await World.read(store_redis)
    assert is_reopened == (to in REOPENINGS.get(at, ()))
    if is_reopened:
        assert world.timeline(held.id) == [*before.timeline(held.id), to]
        check_entries(world, set())
        assert await due.settle(held, a_step(Status.FAILED)) is None
    else:
        assert world == before
