"""While RunComfy gives no answer: who may ask it whether it is back, and what goes on meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from generations.due import (
    BREAKER,
    BREAKER_FAILURES,
    LONGEST_PROBE_INTERVAL,
    PROBE_INTERVAL,
    UNCALLED_PAGE,
    Claim,
    DueIndex,
)
from generations.lifecycle import Status
from generations.model import ErrorCode, Generation
from generations.settings import WorkerSettings
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import (
    LONG,
    SHORT,
    accept,
    accept_many,
    bring_to,
    claim,
    hold,
    now_ms,
    settled,
    take,
)
from tests.waiting import eventually
from worker.claims import report, work_through
from worker.clients import Clients
from worker.polling import poll_once
from worker.submission import submit_once

ALL = dict.fromkeys(Lane, 800)
AWAY = "http://127.0.0.1:9/v1"


@pytest_asyncio.fixture
async def clients(redis_url: str) -> AsyncIterator[Clients]:
    """A worker's, whose RunComfy is not there."""
    settings = WorkerSettings.model_validate(
        {"redis_url": redis_url, "runcomfy_api_token": "rc", "runcomfy_model_api_base": AWAY}
    )
    opened = await Clients.open(settings)
    yield opened
    await opened.close()


async def claimed_now(due: DueIndex, lane: Lane) -> int:
    return len(await due.claim({lane: 9}, lease=LONG))


async def open_breaker(due: DueIndex) -> None:
    await due.report(answered=False, failures=BREAKER_FAILURES)


async def with_runcomfy(
    store: GenerationStore, due: DueIndex, count: int, *, then: timedelta = timedelta()
) -> list[Generation]:
    """Generations that RunComfy has, to be polled after a while."""
    found = []
    for _ in range(count):
        found.append(await accept(store))
        held = await bring_to(due, Status.IN_QUEUE)
        await settled(due, held, Step(due=Due(Lane.POLLS, then)))
    return found


async def probes(due: DueIndex, redis: Redis, *, times: int) -> list[Claim]:
    """What is claimed, over all lanes, each time that a probe is due."""
    found = []
    for _ in range(times):
        if await redis.exists(BREAKER):
            await redis.hset(BREAKER, "probe_at", 0)
        found += await due.claim(ALL, lease=LONGEST_PROBE_INTERVAL / 2)
    return found


async def wait_for_probe(redis: Redis) -> int:
    """Milliseconds until the next probe."""
    return int(str(await redis.hget(BREAKER, "probe_at"))) - await now_ms(redis)


async def test_while_runcomfy_is_silent_one_call_at_a_time_is_let_through(
    store: GenerationStore, due: DueIndex
) -> None:
    await with_runcomfy(store, due, 4)
    await due.report(answered=False, failures=BREAKER_FAILURES - 1)
    assert len(await due.claim({Lane.POLLS: 1}, lease=LONG)) == 1
    await due.report(answered=False, failures=1)
    found = await asyncio.gather(*(claimed_now(due, Lane.POLLS) for _ in range(8)))
    assert sum(found) == 1


async def test_one_answer_lets_everything_through_again(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept_many(store, 3)
    await open_breaker(due)
    assert await claimed_now(due, Lane.SUBMISSIONS) == 1
    assert await claimed_now(due, Lane.SUBMISSIONS) == 0
    await due.report(answered=True, failures=3)
    assert await claimed_now(due, Lane.SUBMISSIONS) == 2


async def test_the_next_probe_comes_after_its_interval(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await with_runcomfy(store, due, 2)
    await open_breaker(due)
    before = await now_ms(store_redis)
    await claimed_now(due, Lane.POLLS)
    probe_at = int(str(await store_redis.hget(BREAKER, "probe_at")))
    interval_ms = round(PROBE_INTERVAL.total_seconds() * 1000)
    assert before + interval_ms <= probe_at <= await now_ms(store_redis) + interval_ms


async def test_deliveries_do_not_wait_for_runcomfy(store: GenerationStore, due: DueIndex) -> None:
    for _ in range(3):
        await store.cancel(await accept(store, webhook=ENDPOINT))
    await open_breaker(due)
    assert await claimed_now(due, Lane.DELIVERIES) == 3


async def test_polls_are_the_probes_and_no_submission_is_risked(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await with_runcomfy(store, due, 3)
    await accept_many(store, 20)
    await open_breaker(due)
    found = await probes(due, store_redis, times=8)
    assert Counter(claimed.lane for claimed in found) == {Lane.POLLS: 3}


async def test_a_poll_that_is_due_before_long_is_waited_for(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await with_runcomfy(store, due, 1, then=LONGEST_PROBE_INTERVAL / 2)
    await accept_many(store, 3)
    await open_breaker(due)
    assert await probes(due, store_redis, times=3) == []


@pytest.mark.parametrize("then", [None, LONG])
async def test_where_there_is_no_poll_before_long_submissions_probe_ever_more_rarely(
    then: timedelta | None, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    if then:
        await with_runcomfy(store, due, 1, then=then)
    await accept_many(store, 9)
    await open_breaker(due)
    waits = []
    for _ in range(8):
        assert len(await probes(due, store_redis, times=1)) == 1
        waits.append(await wait_for_probe(store_redis))
    usual = PROBE_INTERVAL.total_seconds() * 1000
    longest = LONGEST_PROBE_INTERVAL.total_seconds() * 1000
    for n, wait in enumerate(waits):
        assert wait <= min(usual * 2**n, longest)
    assert waits[-1] > longest / 2


async def test_what_needs_no_call_ends_without_waiting_for_probes(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    waiting = {g.id for g in await accept_many(store, 2 * UNCALLED_PAGE)}
    late = {(await accept(store, deadline=timedelta(milliseconds=1))).id for _ in range(30)}
    await open_breaker(due)
    longest_ms = LONGEST_PROBE_INTERVAL // timedelta(milliseconds=1)
    await store_redis.hset(BREAKER, "probe_at", await now_ms(store_redis) + longest_ms)

    found: set[str] = set()

    async def are_found() -> bool:
        found.update(c.id for c in await due.claim(ALL, lease=LONG))
        return found >= late

    await eventually(are_found, "all that are past their deadline are claimed")
    assert not found & waiting


async def test_what_was_cancelled_or_abandoned_on_its_way_out_ends_without_a_probe(
    store: GenerationStore, due: DueIndex
) -> None:
    abandoned = await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    intent = Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS, SHORT))
    await settled(due, held, intent)
    cancelled = await accept(store)
    held, _ = await take(due, await claim(due, Lane.SUBMISSIONS))
    held = await settled(due, held, Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS, LONG)))
    await store.cancel(await store.find(cancelled.id))
    await settled(due, held, Step(to=Status.QUEUED, due=Due(Lane.SUBMISSIONS)))
    await open_breaker(due)
    assert await due.claim({Lane.POLLS: 9}, lease=LONG) == []

    found: set[str] = set()

    async def are_found() -> bool:
        found.update(c.id for c in await due.claim(ALL, lease=LONG))
        return found == {abandoned.id, cancelled.id}

    await eventually(are_found, "both are claimed")


@pytest.mark.parametrize("lane", [Lane.SUBMISSIONS, Lane.POLLS])
async def test_a_deadline_tells_nothing_about_runcomfy(
    lane: Lane, store: GenerationStore, due: DueIndex, store_redis: Redis, clients: Clients
) -> None:
    generation = await accept(store, deadline=timedelta(milliseconds=1))
    if lane is Lane.POLLS:
        await settled(due, await bring_to(due, Status.IN_QUEUE), Step(due=Due(Lane.POLLS)))
    await open_breaker(due)
    taken = await due.take_generations([await claim(due, lane)], lease=LONG)
    once = poll_once if lane is Lane.POLLS else submit_once
    counts = await work_through(taken, once, clients)
    await report(counts, clients)
    ended = await store.find(generation.id)
    assert ended.error is not None
    assert ended.error.code is ErrorCode.DEADLINE_EXCEEDED
    assert await store_redis.hget(BREAKER, "failures") == str(BREAKER_FAILURES)


async def test_an_abandoned_submission_tells_nothing_about_runcomfy(
    store: GenerationStore, due: DueIndex, store_redis: Redis, clients: Clients
) -> None:
    await accept(store)
    held = await bring_to(due, Status.SUBMITTING)
    taken = [(held, await store.find(held.id))]
    await report(await work_through(taken, submit_once, clients), clients)
    found = await store.find(held.id)
    assert found.error is not None
    assert found.error.code is ErrorCode.SUBMISSION_UNCERTAIN
    assert await store_redis.exists(BREAKER) == 0


async def test_probes_go_on_when_the_clock_is_set_back(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept_many(store, 2)
    await open_breaker(due)
    assert await claimed_now(due, Lane.SUBMISSIONS) == 1
    await store_redis.hincrby(BREAKER, "probe_at", 86_400_000)
    assert await claimed_now(due, Lane.SUBMISSIONS) == 1
