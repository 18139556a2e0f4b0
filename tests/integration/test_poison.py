"""A record that brings its worker down each time it is taken: set aside, told, in nobody's way.

And what was only near it, or near a kill, goes on as if nothing had been.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from structlog.testing import capture_logs

from generations.connection import key
from generations.due import (
    POISON_DEATHS,
    SUSPECT_TAKES,
    UNFINISHED,
    Audited,
    Claim,
    DueIndex,
    due_key,
    new_fence,
)
from generations.lifecycle import DeliveryStatus, Status
from generations.listing import Listing
from generations.model import Delivery, ErrorCode, Generation
from generations.selection import Filter
from generations.settings import WorkerSettings
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
from worker.clients import Clients
from worker.trials import try_alone

MANY = {Lane.SUBMISSIONS: 9, Lane.POLLS: 9, Lane.DELIVERIES: 9}


#: More than a generation ever needs to be taken.
OFTEN = SUSPECT_TAKES + POISON_DEATHS + 6


@pytest_asyncio.fixture
async def clients(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    """A worker's, whose RunComfy is not there."""
    away = "http://127.0.0.1:9/v1"
    # The process that tries suspects reads them from its environment, as its worker did.
    monkeypatch.setenv("DARKROOM_REDIS_URL", redis_url)
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", "rc-token")
    monkeypatch.setenv("RUNCOMFY_MODEL_API_BASE", away)
    opened = await Clients.open(WorkerSettings())
    yield opened
    await opened.close()


async def claimed_again(due: DueIndex, redis: Redis, lane: Lane) -> list[Claim]:
    """What is claimed of a whole lane, whose leases have all ended."""
    for record_id in map(str, await redis.zrange(due_key(lane), 0, -1)):
        await redis.zadd(due_key(lane), {record_id: 1})
    return await due.claim({lane: 99}, lease=LONG)


async def taken_again(
    due: DueIndex, redis: Redis, lane: Lane
) -> list[tuple[Claim, Generation | Delivery]]:
    """What a worker gets of it."""
    claims = await claimed_again(due, redis, lane)
    if lane is Lane.DELIVERIES:
        return list(await due.take_deliveries(claims, lease=LONG))
    return list(await due.take_generations(claims, lease=LONG))


async def taken_in_vain(due: DueIndex, redis: Redis, lane: Lane) -> None:
    """Workers take all of a lane and are gone, until all of it is suspect."""
    for _ in range(SUSPECT_TAKES):
        assert await taken_again(due, redis, lane)


async def die_alone(due: DueIndex, claims: list[Claim], *, of: str) -> None:
    """Each is tried alone, in a process that is seen to die of one of them."""
    for claimed in claims:
        assert claimed.is_suspect
        taken = await due.take_alone(claimed, fence=new_fence(), lease=LONG)
        assert taken is not None
        mine, _ = taken
        if claimed.id == of:
            await due.note_death(mine)
        else:
            await settled(due, mine, Step(due=Due(mine.lane)))


async def die_until_set_aside(due: DueIndex, redis: Redis, lane: Lane, record_id: str) -> None:
    """Workers die of it, first with others and then alone, until there is nothing to claim."""
    await taken_in_vain(due, redis, lane)
    for _ in range(POISON_DEATHS):
        claims = [c for c in await claimed_again(due, redis, lane) if c.is_suspect]
        await die_alone(due, claims, of=record_id)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SUBMITTING, Status.IN_PROGRESS])
async def test_what_brings_its_workers_down_is_set_aside_and_told(
    status: Status, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    if status is not Status.QUEUED:
        await bring_to(due, status)
    lane = Lane.POLLS if status is Status.IN_PROGRESS else Lane.SUBMISSIONS
    await die_until_set_aside(due, store_redis, lane, generation.id)
    found = await store.find(generation.id)
    assert (found.status, found.is_set_aside) == (Status.FAILED, True)
    assert found.error is not None
    assert found.error.code is ErrorCode.INTERNAL
    (delivery,) = await store.find_deliveries(found)
    assert delivery.event_type == "generation.failed"
    assert await due_times(store_redis, generation.id) == {}
    (told,) = await taken_again(due, store_redis, Lane.DELIVERIES)
    assert told[1] == delivery


async def test_what_has_ended_stays_as_it_is_and_is_not_asked_for_its_cost_again(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    await settled(due, held, Step(to=Status.SUCCEEDED, due=Due(Lane.POLLS), set={"output": {}}))
    await die_until_set_aside(due, store_redis, Lane.POLLS, generation.id)
    found = await store.find(generation.id)
    assert (found.status, found.error, found.is_set_aside) == (Status.SUCCEEDED, None, False)
    assert await due_times(store_redis, generation.id) == {}


async def test_what_has_no_endpoint_is_set_aside_all_the_same(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await die_until_set_aside(due, store_redis, Lane.SUBMISSIONS, generation.id)
    assert (await store.find(generation.id)).status is Status.FAILED
    assert await store_redis.exists(UNFINISHED) == 0


@pytest.mark.parametrize("lane", list(Lane))
async def test_those_that_were_taken_with_it_go_on(
    lane: Lane, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    for _ in range(5):
        generation = await accept(store, webhook=ENDPOINT)
        if lane is Lane.POLLS:
            await settled(due, await bring_to(due, Status.IN_QUEUE), Step(due=Due(lane)))
        if lane is Lane.DELIVERIES:
            await store.cancel(generation)
    bad, *sound = map(str, await store_redis.zrange(due_key(lane), 0, -1))
    await die_until_set_aside(due, store_redis, lane, bad)
    left = {claimed.id for claimed in await claimed_again(due, store_redis, lane)}
    assert left == set(sound)
    ended = "exhausted" if lane is Lane.DELIVERIES else "failed"
    assert await store_redis.hget(key(bad), "status") == ended


async def test_workers_that_are_killed_with_it_again_and_again_are_not_its_doing(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    for _ in range(OFTEN):
        # Also the process that tries it alone, together with who would see that.
        (claimed,) = await claimed_again(due, store_redis, Lane.SUBMISSIONS)
        assert await due.take_alone(claimed, fence=new_fence(), lease=LONG)
    (claimed,) = await claimed_again(due, store_redis, Lane.SUBMISSIONS)
    _, found = await take_alone(due, claimed)
    assert found == generation


async def take_alone(due: DueIndex, claimed: Claim) -> tuple[Claim, Generation | Delivery]:
    taken = await due.take_alone(claimed, fence=new_fence(), lease=LONG)
    assert taken is not None
    return taken


async def test_a_death_after_the_settle_was_not_of_it(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    await taken_in_vain(due, store_redis, Lane.SUBMISSIONS)
    (claimed,) = await claimed_again(due, store_redis, Lane.SUBMISSIONS)
    mine, _ = await take_alone(due, claimed)
    await settled(due, mine, Step(due=Due(Lane.SUBMISSIONS)))
    before = await due_times(store_redis, generation.id)
    await due.note_death(replace(mine, takes=99))
    assert await due_times(store_redis, generation.id) == before
    assert (await store.find(generation.id)).status is Status.QUEUED


async def test_suspects_are_claimed_few_at_a_time_and_keep_nobody_else_waiting(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    suspects = {generation.id for generation in await accept_many(store, 4)}
    await taken_in_vain(due, store_redis, Lane.SUBMISSIONS)
    for suspect in suspects:
        await store_redis.zadd(due_key(Lane.SUBMISSIONS), {suspect: 1})
    sound = await accept(store)
    claims = await due.claim({Lane.SUBMISSIONS: 99}, lease=LONG, suspects=1)
    assert [claimed.is_suspect for claimed in claims] == [True, False]
    assert claims[1].id == sound.id
    assert await due.claim({Lane.SUBMISSIONS: 99}, lease=LONG, suspects=1) == []


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
async def test_what_tries_a_record_that_cannot_be_read_does_not_survive_it(
    field: str, text: str | None, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    bad = await accept(store, webhook=ENDPOINT)
    if text is None:
        await store_redis.hdel(key(bad.id), field)
    else:
        await store_redis.hset(key(bad.id), field, text)
    for _ in range(SUSPECT_TAKES):
        assert await taken_again(due, store_redis, Lane.SUBMISSIONS) == []
    for _ in range(POISON_DEATHS):
        (claimed,) = await claimed_again(due, store_redis, Lane.SUBMISSIONS)
        fence = new_fence()
        with pytest.raises((KeyError, ValueError, TypeError)):
            await due.take_alone(claimed, fence=fence, lease=LONG)
        await due.note_death(replace(claimed, fence=fence))
    assert await store_redis.hget(key(bad.id), "status") == "failed"
    assert await due_times(store_redis, bad.id) == {}


async def test_a_record_that_cannot_be_read_is_set_aside_and_stops_nobody_else(
    store: GenerationStore, due: DueIndex, store_redis: Redis, clients: Clients
) -> None:
    bad, sound = await accept(store, webhook=ENDPOINT), await accept(store)
    await store_redis.hset(key(bad.id), "input", "{")
    with capture_logs() as logged:
        for _ in range(SUSPECT_TAKES):
            ((held, found),) = await taken_again(due, store_redis, Lane.SUBMISSIONS)
            assert found == sound
            await settled(due, held, Step(due=Due(Lane.SUBMISSIONS)))
        for _ in range(POISON_DEATHS):
            claims = await claimed_again(due, store_redis, Lane.SUBMISSIONS)
            await try_alone([c for c in claims if c.id == bad.id], clients)
    events = [entry["event"] for entry in logged]
    died = ["trial.died"] * POISON_DEATHS
    assert events == ["record.unreadable"] * SUSPECT_TAKES + [*died, "record.set_aside"]
    status, error = await store_redis.hmget(key(bad.id), "status", "error")
    assert status == "failed"
    assert '"internal"' in str(error)
    assert await due_times(store_redis, bad.id) == {}


async def test_a_process_that_dies_of_one_has_worked_on_those_before_it_and_leaves_those_behind_it(
    store: GenerationStore, due: DueIndex, store_redis: Redis, clients: Clients
) -> None:
    before, bad, behind = await accept_many(store, 3)
    await taken_in_vain(due, store_redis, Lane.SUBMISSIONS)
    await store_redis.hset(key(bad.id), "input", "{")
    claims = await claimed_again(due, store_redis, Lane.SUBMISSIONS)
    assert [claimed.id for claimed in claims] == [before.id, bad.id, behind.id]
    await try_alone(claims, clients)
    takes = [await store_redis.hget(key(g.id), "takes") for g in (before, bad, behind)]
    assert takes == [None, str(SUSPECT_TAKES + 1), str(SUSPECT_TAKES)]
    # RunComfy was not there, so it is queued again.
    assert (await store.find(before.id)).failures == 1
    assert await store_redis.hget(key(behind.id), "fence") == str(claims[2].fence)


async def test_a_delivery_that_brings_its_workers_down_is_given_up_and_its_generation_stands(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    await store.cancel(generation)
    (delivery_id,) = (await store.find(generation.id)).delivery_ids
    await die_until_set_aside(due, store_redis, Lane.DELIVERIES, delivery_id)
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
    (delivery_id,) = (await store.find(told.id)).delivery_ids
    await die_until_set_aside(due, store_redis, Lane.DELIVERIES, delivery_id)
    page = await Listing(store_redis).page(Filter(is_set_aside=True), origin=None, limit=9)
    assert [found.id for found in page.rows] == [told.id]


async def test_a_delivery_of_what_is_gone_is_set_aside_all_the_same(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    await store.cancel(generation)
    (delivery_id,) = (await store.find(generation.id)).delivery_ids
    await store_redis.delete(key(generation.id))
    await die_until_set_aside(due, store_redis, Lane.DELIVERIES, delivery_id)
    assert not await store_redis.exists(key(generation.id))
    assert await due.audit(submitting=LONG, longest=FAR) == Audited()


async def test_a_settle_in_between_shows_that_a_record_is_sound(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept(store)
    for _ in range(OFTEN):
        held, _ = await hold(due, Lane.SUBMISSIONS)
        await settled(due, held, Step(due=Due(Lane.SUBMISSIONS)))


async def test_messages_that_are_lost_before_a_worker_has_them_do_not_count(
    store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    for _ in range(OFTEN):
        await claim(due, Lane.SUBMISSIONS, lease=timedelta())
    held, found = await hold(due, Lane.SUBMISSIONS)
    assert found == generation
    assert await due.settle(held, Step(due=Due(Lane.SUBMISSIONS))) is not None


async def test_a_late_worker_of_what_was_set_aside_changes_nothing(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    await die_until_set_aside(due, store_redis, Lane.POLLS, generation.id)
    before = await store.find(generation.id)
    assert await due.settle(held, SUCCEEDED) is None
    assert await store.find(generation.id) == before
    assert await due.claim(MANY, lease=LONG) == []
