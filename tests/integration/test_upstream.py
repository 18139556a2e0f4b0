"""What RunComfy gets at most from all workers together, and when it is left alone."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest
from redis.asyncio import Redis

from generations.connection import key
from generations.due import Claim, DueIndex, Unsettled, due_key
from generations.errors import RunComfyThrottled
from generations.indexes import IN_FLIGHT, UPSTREAM
from generations.lifecycle import IN_FLIGHT as IN_FLIGHT_STATUSES
from generations.limits import UpstreamLimits
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore
from generations.upstream import ExtraCalls
from tests.integration.claiming import (
    INTENDED,
    LONG,
    SUBMITTED,
    SUCCEEDED,
    accept,
    accept_many,
    due_times,
    hold,
    now_ms,
    settled,
)
from tests.waiting import eventually

KEEP: Final = timedelta(days=7)
SECOND: Final = timedelta(seconds=1)
#: The instants that a take tells are whole milliseconds.
ROUNDING: Final = timedelta(milliseconds=2)
WORKERS: Final = 8
#: As a worker holds it, not due again meanwhile.
INTENT: Final = replace(INTENDED, due=Due(Lane.SUBMISSIONS, LONG))
ASKED_TO_WAIT: Final = Step(due=Due(Lane.POLLS, LONG), pause=LONG)


def limited(redis: Redis, *, most: int | None = None, rate: float | None = None) -> DueIndex:
    limits = UpstreamLimits(max_in_flight=most, requests_per_second=rate)
    return DueIndex(redis, keep=KEEP, upstream=limits)


async def bring_to_polls(store: GenerationStore, due: DueIndex, count: int) -> None:
    """So many that RunComfy has, each to be polled now."""
    await accept_many(store, count)
    claims = await due.claim({Lane.SUBMISSIONS: count}, lease=LONG)
    taken = await due.take_generations(claims, lease=LONG)
    for mine, _ in taken:
        await settled(due, await settled(due, mine, INTENT), SUBMITTED)


async def in_flight(redis: Redis, ids: list[str]) -> int:
    """How many are in flight by their records, all at one instant."""
    async with redis.pipeline(transaction=True) as pipe:
        for one in ids:
            pipe.hget(key(one), "status")
        return sum(status in IN_FLIGHT_STATUSES for status in await pipe.execute())


async def test_many_workers_never_have_more_in_flight_than_may_be(
    store: GenerationStore, store_redis: Redis
) -> None:
    theirs = [await accept(store, origin=f"origin{n % 3}") for n in range(60)]
    ids = [one.id for one in theirs]

    async def work() -> None:
        due = limited(store_redis, most=7)
        while await store_redis.zcard(due_key(Lane.SUBMISSIONS)) > 0:
            claims = await due.claim({Lane.SUBMISSIONS: 3}, lease=LONG)
            for mine, _ in await due.take_generations(claims, lease=LONG):
                sent = await due.try_settle(mine, INTENT)
                assert isinstance(sent, Claim)
                assert await in_flight(store_redis, ids) <= 7
                await asyncio.sleep(0)
                await settled(due, await settled(due, sent, SUBMITTED), SUCCEEDED)

    async with asyncio.timeout(60):
        await asyncio.gather(*(work() for _ in range(WORKERS)))
    assert [(await store.find(one)).is_finished for one in ids] == [True] * 60
    assert await store_redis.scard(IN_FLIGHT) == 0


async def test_who_was_claimed_has_room_whatever_is_claimed_meanwhile(
    store: GenerationStore, store_redis: Redis
) -> None:
    due = limited(store_redis, most=2)
    await accept_many(store, 5)
    claims = await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG)
    assert len(claims) == 2
    assert await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG) == []
    for mine, _ in await due.take_generations(claims, lease=LONG):
        assert isinstance(await due.try_settle(mine, INTENT), Claim)


async def test_a_claim_that_nobody_took_gives_its_room_to_its_next(
    store: GenerationStore, store_redis: Redis
) -> None:
    due = limited(store_redis, most=1)
    first, _ = await accept_many(store, 2)
    await due.claim({Lane.SUBMISSIONS: 9}, lease=timedelta(milliseconds=1))
    (claimed,) = await eventually(
        lambda: due.claim({Lane.SUBMISSIONS: 9}, lease=LONG), "the lease is over"
    )
    assert claimed.id == first.id


def most_in_a_second(instants: list[datetime]) -> int:
    return max(
        sum(start <= at < start + SECOND - ROUNDING for at in instants) for start in instants
    )


async def calls_of_many_workers(
    store: GenerationStore, redis: Redis, *, rate: float, count: int
) -> list[datetime]:
    """When so many calls were made by workers that do nothing but claim, submit and poll."""
    instants: list[datetime] = []

    async def work() -> None:
        due = limited(redis, rate=rate)
        while len(instants) < count:
            claims = await due.claim({Lane.SUBMISSIONS: 5, Lane.POLLS: 5}, lease=LONG)
            for lane in (Lane.SUBMISSIONS, Lane.POLLS):
                mine = [one for one in claims if one.lane is lane]
                for taken, _ in await due.take_generations(mine, lease=LONG):
                    instants.append(await call(due, taken))
            await asyncio.sleep(0)

    async def call(due: DueIndex, mine: Claim) -> datetime:
        if mine.lane is Lane.POLLS:
            await settled(due, mine, Step(due=Due(Lane.POLLS)))
            return mine.taken_at + mine.call_in
        sent = await settled(due, mine, INTENT)
        intended_at = (await store.find(mine.id)).timeline[-1].at
        await settled(due, sent, SUBMITTED)
        return intended_at + sent.call_in

    async with asyncio.timeout(60):
        await asyncio.gather(*(work() for _ in range(WORKERS)))
    return sorted(instants)


async def test_many_workers_never_make_more_calls_a_second_than_may_be(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await bring_to_polls(store, due, 20)
    await accept_many(store, 40)
    instants = await calls_of_many_workers(store, store_redis, rate=20, count=45)
    assert most_in_a_second(instants) <= 20
    gaps = [later - earlier for earlier, later in pairwise(instants)]
    assert min(gaps) >= SECOND / 20 - ROUNDING


async def test_extra_calls_are_counted_among_the_others(store_redis: Redis) -> None:
    limits = UpstreamLimits(requests_per_second=10)
    extra = [ExtraCalls(store_redis, limits) for _ in range(3)]
    waits = sorted(await asyncio.gather(*(one.wait() for one in extra for _ in range(4))))
    assert waits[-1] - waits[0] > SECOND
    assert (await ExtraCalls(store_redis, UpstreamLimits()).wait()) == timedelta()


async def test_submissions_and_polls_share_the_calls_and_neither_starves(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await bring_to_polls(store, due, 40)
    await accept_many(store, 40)
    shared = limited(store_redis, rate=16)
    claims: list[Claim] = []
    while len(claims) < 16:
        claims += await shared.claim({Lane.SUBMISSIONS: 800, Lane.POLLS: 800}, lease=LONG)
        await asyncio.sleep(0.01)
    submissions = sum(one.lane is Lane.SUBMISSIONS for one in claims)
    assert abs(2 * submissions - len(claims)) <= 2


@pytest.mark.parametrize("lane", [Lane.SUBMISSIONS, Lane.POLLS])
async def test_what_one_lane_does_not_want_the_other_gets(
    lane: Lane, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await (bring_to_polls(store, due, 30) if lane is Lane.POLLS else accept_many(store, 30))
    shared = limited(store_redis, rate=100)
    claims = await shared.claim({Lane.SUBMISSIONS: 800, Lane.POLLS: 800}, lease=LONG)
    assert [one.lane for one in claims] == [lane] * len(claims)
    assert len(claims) >= 20


async def test_a_take_without_a_call_before_long_gives_its_claim_back(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await bring_to_polls(store, due, 1)
    slow = limited(store_redis, rate=0.01)
    (claimed,) = await slow.claim({Lane.POLLS: 9}, lease=LONG)
    await ExtraCalls(store_redis, UpstreamLimits(requests_per_second=0.01)).wait()
    assert await slow.take_generations([claimed], lease=LONG) == []
    assert (await due_times(store_redis, claimed.id))[Lane.POLLS] <= await now_ms(store_redis)
    assert await slow.claim({Lane.POLLS: 9}, lease=LONG) == []


async def test_an_intent_without_a_call_before_long_is_back_in_line(
    store: GenerationStore, store_redis: Redis
) -> None:
    slow = limited(store_redis, rate=0.01)
    await accept(store)
    held, _ = await hold(slow, Lane.SUBMISSIONS)
    await ExtraCalls(store_redis, UpstreamLimits(requests_per_second=0.01)).wait()
    assert await slow.try_settle(held, INTENT) is Unsettled.IN_LINE


async def test_a_pause_holds_for_everybody_and_nothing_is_lost(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await bring_to_polls(store, due, 3)
    await accept_many(store, 3)
    (first, second) = await due.claim({Lane.POLLS: 2}, lease=LONG)
    ((mine, _),) = await due.take_generations([first], lease=LONG)
    ((held, _),) = await due.take_generations(
        await due.claim({Lane.SUBMISSIONS: 1}, lease=LONG), lease=LONG
    )
    await settled(due, mine, ASKED_TO_WAIT)
    other = limited(store_redis)
    assert await other.claim({Lane.SUBMISSIONS: 9, Lane.POLLS: 9}, lease=LONG) == []
    assert await other.take_generations([second], lease=LONG) == []
    assert await other.try_settle(held, INTENT) is Unsettled.IN_LINE
    with pytest.raises(RunComfyThrottled):
        await ExtraCalls(store_redis, UpstreamLimits(requests_per_second=5)).wait()
    await end_pause(store_redis)
    claims = await eventually(
        lambda: other.claim({Lane.SUBMISSIONS: 9, Lane.POLLS: 9}, lease=LONG), "the pause is over"
    )
    assert claims


async def end_pause(redis: Redis) -> None:
    """As if it had ended long ago."""
    await redis.hset(UPSTREAM, "paused_until", str(await now_ms(redis) - 60_000))


async def test_what_is_over_ends_during_a_pause_too(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await ExtraCalls(store_redis, UpstreamLimits()).pause(LONG)
    late = await accept(store, deadline=timedelta(milliseconds=1))
    (claimed,) = await eventually(
        lambda: due.claim({Lane.SUBMISSIONS: 9, Lane.POLLS: 9}, lease=LONG), "it is over"
    )
    assert claimed.id == late.id


async def test_the_longest_pause_stands_and_one_of_a_clock_set_back_does_not(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    extra = ExtraCalls(store_redis, UpstreamLimits())
    await extra.pause(LONG)
    await extra.pause(SECOND)
    ends_at = int(await store_redis.hget(UPSTREAM, "paused_until") or 0)
    assert ends_at > await now_ms(store_redis) + 60_000
    await accept(store)
    assert await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG) == []
    await store_redis.hset(UPSTREAM, "paused_until", str(ends_at + 7 * 24 * 3_600_000))
    assert len(await due.claim({Lane.SUBMISSIONS: 9}, lease=LONG)) == 1


async def test_after_a_pause_calls_come_back_a_few_at_first(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await bring_to_polls(store, due, 40)
    await ExtraCalls(store_redis, UpstreamLimits()).pause(timedelta(milliseconds=1))
    claims = await eventually(lambda: due.claim({Lane.POLLS: 800}, lease=LONG), "it is over")
    assert 1 <= len(claims) < 20
    await end_pause(store_redis)
    assert len(await due.claim({Lane.POLLS: 800}, lease=LONG)) == 40 - len(claims)


async def test_gaps_are_stretched_to_what_there_are_calls_for(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await bring_to_polls(store, due, 90)
    scarce = limited(store_redis, rate=1)
    scarce.gaps.note(timedelta(seconds=10))
    await scarce.claim({Lane.POLLS: 1}, lease=LONG)
    # 90 polled every 10 s want nine calls a second; there is one, of which a tenth is kept.
    assert scarce.stretch == pytest.approx(10)
    other = limited(store_redis, rate=1)
    await other.claim({Lane.POLLS: 0}, lease=LONG)
    assert other.stretch == scarce.stretch
    plenty = limited(store_redis)
    await plenty.claim({Lane.POLLS: 0}, lease=LONG)
    assert plenty.stretch == 1
