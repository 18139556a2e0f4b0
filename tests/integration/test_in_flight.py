"""How many an origin may have with RunComfy at a time; the others wait, and lose nothing."""

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from generations.connection import key
from generations.due import Claim, DueIndex, Unsettled, due_key
from generations.indexes import IN_FLIGHT as IN_FLIGHT_OF_ALL
from generations.indexes import LINES
from generations.lifecycle import IN_FLIGHT, Status
from generations.limits import Limits
from generations.model import Generation
from generations.origins import OriginStore
from generations.steps import Due, Lane, Step
from generations.store import CancelAnswer, GenerationStore
from tests.integration.claiming import (
    FAR,
    LONG,
    SUBMITTED,
    SUCCEEDED,
    accept,
    accept_many,
    claim,
    due_times,
    hold,
    settled,
    take,
)

MINUTE = timedelta(minutes=1)
#: Not due again while its holder works on it.
INTENDED = Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS, LONG), add={"submissions": 1})


@pytest_asyncio.fixture(autouse=True)
async def one_at_a_time(origins: OriginStore) -> None:
    await origins.create_key("studio")
    await origins.limit("studio", Limits(max_in_flight=1))


async def in_line(redis: Redis) -> list[str]:
    return [str(one) for one in await redis.zrange(key("line:studio"), 0, -1)]


async def work_on_all_that_is_due(due: DueIndex) -> dict[str, Claim | Unsettled]:
    """What came of the intent to submit each that is due."""
    claims = await due.claim({Lane.SUBMISSIONS: 1000}, lease=LONG)
    taken = await due.take_generations(claims, lease=LONG)
    outcomes = await asyncio.gather(*(due.try_settle(mine, INTENDED) for mine, _ in taken))
    return {mine.id: outcome for (mine, _), outcome in zip(taken, outcomes, strict=True)}


async def end(due: DueIndex, held: Claim) -> None:
    await settled(due, await settled(due, held, SUBMITTED), SUCCEEDED)


async def first_of_two(store: GenerationStore, due: DueIndex) -> tuple[Claim, Generation]:
    """One in flight, by its holder's claim, and one that waits for it."""
    first, second = await accept_many(store, 2)
    outcomes = await work_on_all_that_is_due(due)
    (holder,) = [one for one in outcomes.values() if isinstance(one, Claim)]
    return holder, second if holder.id == first.id else first


async def claim_before_the_limit(due: DueIndex, origins: OriginStore) -> list[Claim]:
    """What was claimed while there was no limit, and is taken when there is one."""
    await origins.limit("studio", Limits())
    claims = await due.claim({Lane.SUBMISSIONS: 1000}, lease=LONG)
    await origins.limit("studio", Limits(max_in_flight=1))
    return claims


async def test_of_many_intents_at_once_as_many_go_as_may(
    store: GenerationStore, due: DueIndex, origins: OriginStore, store_redis: Redis
) -> None:
    await origins.limit("studio", Limits(max_in_flight=5))
    accepted = await accept_many(store, 60)
    rounds = [due.claim({Lane.SUBMISSIONS: 8}, lease=LONG) for _ in range(12)]
    claims = [claimed for found in await asyncio.gather(*rounds) for claimed in found]
    taken = await due.take_generations(claims, lease=LONG)
    outcomes = await asyncio.gather(*(due.try_settle(mine, INTENDED) for mine, _ in taken))
    assert sum(isinstance(one, Claim) for one in outcomes) == len(outcomes) == 5
    statuses = [(await store.find(one.id)).status for one in accepted]
    assert statuses.count(Status.SUBMITTING) == 5
    assert statuses.count(Status.QUEUED) == 55
    assert len(await in_line(store_redis)) == 55


async def test_what_is_claimed_when_a_limit_comes_keeps_its_room_and_nothing_else_gets_any(
    store: GenerationStore, due: DueIndex, origins: OriginStore, store_redis: Redis
) -> None:
    await accept_many(store, 3)
    claims = await claim_before_the_limit(due, origins)
    await accept_many(store, 2)
    assert await work_on_all_that_is_due(due) == {}
    taken = await due.take_generations(claims, lease=LONG)
    outcomes = await asyncio.gather(*(due.try_settle(mine, INTENDED) for mine, _ in taken))
    assert all(isinstance(one, Claim) for one in outcomes)
    assert len(await in_line(store_redis)) == 2


async def test_an_intent_without_room_goes_back_to_its_place_in_line(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    first, second = await accept_many(store, 2)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await lose_room(store_redis, held)
    await store_redis.sadd(key("in_flight:studio"), "gen_of_somebody_else")
    assert await due.try_settle(held, INTENDED) is Unsettled.IN_LINE
    assert await in_line(store_redis) == [first.id, second.id]
    assert (await store.find(first.id)).status is Status.QUEUED


async def lose_room(redis: Redis, held: Claim) -> None:
    """As when the set was lost after the claim."""
    await redis.srem(key("in_flight:studio"), held.id)
    await redis.srem(key("in_flight"), held.id)


async def test_what_waits_is_not_claimed_again_until_there_is_room(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept_many(store, 60)
    await work_on_all_that_is_due(due)
    assert await work_on_all_that_is_due(due) == {}


async def test_the_oldest_that_waits_is_due_as_soon_as_one_ends(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept_many(store, 4)
    outcomes = await work_on_all_that_is_due(due)
    (holder,) = [one for one in outcomes.values() if isinstance(one, Claim)]
    waiting = await in_line(store_redis)
    await end(due, holder)
    (now_held,) = (await work_on_all_that_is_due(due)).items()
    assert now_held[0] == waiting[0]
    assert isinstance(now_held[1], Claim)
    assert await in_line(store_redis) == waiting[1:]


@pytest.mark.parametrize(
    "step",
    [
        Step(to=Status.QUEUED, due=Due(Lane.SUBMISSIONS, MINUTE)),
        Step(to=Status.FAILED, due=None),
        Step(to=Status.CANCELLED, due=None),
    ],
)
async def test_whatever_ends_a_submission_makes_room(
    step: Step, store: GenerationStore, due: DueIndex
) -> None:
    holder, waiting = await first_of_two(store, due)
    await settled(due, holder, step)
    outcomes = await work_on_all_that_is_due(due)
    assert isinstance(outcomes[waiting.id], Claim)


async def test_an_origin_with_room_is_not_held_up_by_one_without(
    store: GenerationStore, due: DueIndex
) -> None:
    await accept_many(store, 3)
    theirs = [await accept(store, origin="archive") for _ in range(3)]
    outcomes = await work_on_all_that_is_due(due)
    assert all(isinstance(outcomes[one.id], Claim) for one in theirs)


async def test_a_refused_intent_that_is_asked_for_again_is_refused_again(
    store: GenerationStore, due: DueIndex, origins: OriginStore, store_redis: Redis
) -> None:
    await accept_many(store, 2)
    first, second = await claim_before_the_limit(due, origins)
    held, _ = await take(due, first)
    await settled(due, held, INTENDED)
    other, _ = await take(due, second)
    await lose_room(store_redis, other)
    guard = {"fence": str(other.fence), "next_fence": "77"}

    async def ask() -> tuple[str, str]:
        return await due.apply(other.id, other.lane, INTENDED, guard, origin="studio")

    assert await ask() == ("full", "queued")
    assert await ask() == ("full", "queued")
    await end_first(store, due, held)
    # There is room by now, but this very step was refused: its holder has no claim any more.
    assert await ask() == ("full", "queued")


async def end_first(store: GenerationStore, due: DueIndex, held: Claim) -> None:
    step = Step(to=Status.FAILED, due=None)
    outcome, _ = await due.apply(held.id, held.lane, step, {}, origin="studio")
    assert outcome == "settled"
    assert (await store.find(held.id)).is_finished


async def test_one_that_waits_is_cancelled_at_once(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    holder, waiting = await first_of_two(store, due)
    assert await store.cancel(waiting) is CancelAnswer.CANCELLED
    assert await in_line(store_redis) == []
    await end(due, holder)
    assert await work_on_all_that_is_due(due) == {}


async def test_one_whose_turn_has_come_and_that_is_cancelled_gives_its_room_to_the_next(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept_many(store, 3)
    outcomes = await work_on_all_that_is_due(due)
    (holder,) = [one for one in outcomes.values() if isinstance(one, Claim)]
    first, second = await in_line(store_redis)
    await end(due, holder)
    await store.cancel(await store.find(first))
    outcomes = await work_on_all_that_is_due(due)
    assert isinstance(outcomes[second], Claim)


async def test_one_that_waits_is_looked_at_when_its_deadline_comes(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await settled(due, held, INTENDED)
    soon = await accept(store, deadline=MINUTE)
    late = await accept(store, deadline=timedelta(days=1))
    await work_on_all_that_is_due(due)
    for one in (soon, late):
        deadline = round(one.deadline.timestamp() * 1000)
        assert await due_times(store_redis, one.id) == {Lane.SUBMISSIONS: deadline}


async def test_one_whose_deadline_comes_in_line_is_claimed_without_room_to_end(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept(store)
    held, _ = await hold(due, Lane.SUBMISSIONS)
    await settled(due, held, INTENDED)
    late = await accept(store, deadline=timedelta(milliseconds=1))
    assert (await claim(due, Lane.SUBMISSIONS)).id == late.id
    assert await in_line(store_redis) == []


async def test_a_higher_limit_lets_those_that_wait_go_at_once(
    store: GenerationStore, due: DueIndex, origins: OriginStore
) -> None:
    await accept_many(store, 10)
    await work_on_all_that_is_due(due)
    await origins.limit("studio", Limits(max_in_flight=4))
    outcomes = await work_on_all_that_is_due(due)
    assert [isinstance(one, Claim) for one in outcomes.values()] == [True] * 3
    await origins.limit("studio", Limits())
    outcomes = await work_on_all_that_is_due(due)
    assert [isinstance(one, Claim) for one in outcomes.values()] == [True] * 6


async def test_those_that_wait_have_their_place_in_line(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await accept_many(store, 4)
    await work_on_all_that_is_due(due)
    places = [
        await store.place_in_line(await store.find(one)) for one in await in_line(store_redis)
    ]
    assert places == [1, 2, 3]


async def test_all_come_to_their_turn_and_never_more_than_may_at_a_time(
    store: GenerationStore, due: DueIndex, origins: OriginStore, store_redis: Redis
) -> None:
    await origins.limit("studio", Limits(max_in_flight=3))
    accepted = await accept_many(store, 30)
    for _ in range(30):
        outcomes = await work_on_all_that_is_due(due)
        held = [one for one in outcomes.values() if isinstance(one, Claim)]
        found = [(await store.find(one.id)).status for one in accepted]
        assert sum(status in IN_FLIGHT for status in found) <= 3
        await asyncio.gather(*(end(due, one) for one in held))
        if await store_redis.scard(key("unfinished:studio")) == 0:
            return
    raise AssertionError("Some still wait.")


async def test_after_every_index_was_lost_all_still_come_to_their_turn(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    holder, waiting = await first_of_two(store, due)
    indexes = [key(f"{name}:studio") for name in ("unfinished", "in_flight", "line")]
    await store_redis.delete(*indexes, IN_FLIGHT_OF_ALL, LINES, *map(due_key, Lane))
    await due.audit(submitting=LONG, longest=FAR)
    assert await work_on_all_that_is_due(due) == {}
    await end(due, holder)
    assert isinstance((await work_on_all_that_is_due(due))[waiting.id], Claim)


async def test_room_that_is_taken_up_by_what_is_gone_is_given_back_by_the_audit(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await store_redis.sadd(key("in_flight:studio"), "gen_of_another_time")
    await accept(store)
    assert await work_on_all_that_is_due(due) == {}
    await due.audit(submitting=LONG, longest=FAR)
    (outcome,) = (await work_on_all_that_is_due(due)).values()
    assert isinstance(outcome, Claim)
