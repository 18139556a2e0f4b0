"""Who may call an endpoint's server now, on a real Redis: one bad receiver harms nobody."""

from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.connection import key
from generations.due import Claim, DueIndex
from generations.endpoint_health import (
    FEWEST_JUDGED,
    BreakerStatus,
    EndpointHealth,
    EndpointState,
    HealthRules,
    Verdict,
)
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Delivery
from generations.steps import Due, Lane, NewDelivery, Step
from generations.store import GenerationStore
from tests.integration.claiming import LONG, accept, due_times, hold, now_ms, settled
from tests.waiting import eventually

Owed = tuple[Claim, Delivery]

SERVER = "https://studio.example:443"
HOOK = "https://studio.example/hooks?token=secret"
RULES = HealthRules(concurrency=2, probe_interval=LONG, lease=LONG)
SOON = timedelta(milliseconds=30)
EVERYTHING = {Lane.DELIVERIES: 1000}


@pytest.fixture
def health(store_redis: Redis) -> EndpointHealth:
    return EndpointHealth(store_redis, RULES)


def with_rules(redis: Redis, **rules: object) -> EndpointHealth:
    return EndpointHealth(redis, replace(RULES, **rules))  # type: ignore[arg-type]  # As named.


async def owe(store: GenerationStore, due: DueIndex, count: int, url: str = HOOK) -> list[Owed]:
    """So many deliveries to an endpoint, due and taken."""
    for _ in range(count):
        generation = await accept(store, webhook=url)
        held, _ = await hold(due, Lane.SUBMISSIONS)
        tell = NewDelivery(url, Status.FAILED, generation.origin)
        await settled(due, held, Step(to=Status.FAILED, due=None, tell=tell))
    return await take_due(due)


async def take_due(due: DueIndex) -> list[Owed]:
    """Every delivery that is due now."""
    return await due.take_deliveries(await due.claim(EVERYTHING, lease=LONG), lease=LONG)


async def fail(health: EndpointHealth, owed: list[Owed], verdict: Verdict = Verdict.FAILED) -> str:
    """Attempt each in vain; what the breaker did at the last."""
    news = ""
    for one in owed:
        assert await health.enter([one]) == [one]
        news = await health.leave(one[1], verdict)
    return news


async def open_breaker(health: EndpointHealth, store: GenerationStore, due: DueIndex) -> None:
    assert await fail(health, await owe(store, due, FEWEST_JUDGED)) == "opened"


async def state_of(health: EndpointHealth, server: str = SERVER) -> EndpointState:
    return next(state for state in await health.states() if state.server == server)


async def waits(redis: Redis, owed: Owed) -> int:
    """How long until a delivery looks for itself, in ms."""
    return (await due_times(redis, owed[0].id))[Lane.DELIVERIES] - await now_ms(redis)


async def test_so_many_are_attempted_at_once_and_the_others_wait_unattempted(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    owed = await owe(store, due, 5)
    assert await health.enter(owed) == owed[:2]
    for claim, _ in owed[2:]:
        # Its claim is given up, and it is as if it had never been taken.
        assert await due.settle(claim, Step(due=Due(Lane.DELIVERIES))) is None
        assert not await store_redis.hexists(key(claim.id), "takes")
        assert not await store_redis.hexists(key(claim.id), "attempts")
    for one in owed[2:]:
        assert await waits(store_redis, one) > 0.9 * LONG.total_seconds() * 1000
    assert await take_due(due) == []


async def test_whoever_leaves_makes_the_one_that_waits_longest_due(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> None:
    owed = await owe(store, due, 2)
    later = await owe(store, due, 3)
    await health.enter(owed)
    assert await health.enter(later) == []
    for one, expected in zip([*owed, later[0]], later, strict=True):
        await health.leave(one[1], Verdict.ANSWERED)
        (hurried,) = await take_due(due)
        assert hurried[0].id == expected[0].id
        assert await health.enter([hurried]) == [hurried]


async def test_servers_share_nothing(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> None:
    await open_breaker(health, store, due)
    for url in (
        "http://studio.example/",
        "https://studio.example:8443/",
        "https://other.example/",
        "https://[2606:4700::1]/",
    ):
        owed = await owe(store, due, 3, url)
        assert await health.enter(owed) == owed[:2]


async def test_paths_and_spellings_of_one_server_share_its_room(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> None:
    for url in ("https://studio.example:443/a", "https://STUDIO.example./b?c=d"):
        (owed,) = await owe(store, due, 1, url)
        assert await health.enter([owed]) == [owed]
    (third,) = await owe(store, due, 1)
    assert await health.enter([third]) == []
    assert (await state_of(health)).waiting == 1


async def test_the_places_of_a_dead_worker_are_free_after_a_while(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    health = with_rules(store_redis, lease=SOON)
    owed = await owe(store, due, 3)
    assert await health.enter(owed) == owed[:2]
    # Nobody leaves. The one that waits looks for itself.
    (third,) = await eventually(lambda: take_due(due), "the third is due")
    assert third[0].id == owed[2][0].id
    assert await health.enter([third]) == [third]


async def test_a_server_that_mostly_fails_is_left_alone(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    owed = await owe(store, due, FEWEST_JUDGED)
    assert await fail(health, owed[:-1]) == ""
    assert (await state_of(health)).status is BreakerStatus.CLOSED
    assert await fail(health, owed[-1:]) == "opened"
    waiting = await owe(store, due, 3)
    assert await health.enter(waiting) == []
    state = await state_of(health)
    assert (state.status, state.failed, state.waiting) == (BreakerStatus.OPEN, FEWEST_JUDGED, 3)
    assert state.opened_at is not None
    assert state.probe_at is not None
    assert state.probe_at - state.opened_at == RULES.probe_interval
    # One of them will find out whether it is back, at that very instant.
    (at,) = (await due_times(store_redis, waiting[0][0].id)).values()
    assert at == round(state.probe_at.timestamp() * 1000)


async def test_a_server_that_mostly_answers_is_called_on(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> None:
    owed = await owe(store, due, 3 * FEWEST_JUDGED)
    assert await fail(health, owed[::3]) == "opened"
    other = await owe(store, due, 3 * FEWEST_JUDGED, "https://other.example/")
    for answered, answered_too, failed in zip(other[::3], other[1::3], other[2::3], strict=True):
        await fail(health, [answered, answered_too], Verdict.ANSWERED)
        assert await fail(health, [failed]) == ""
    state = await state_of(health, "https://other.example:443")
    assert (state.status, state.answered) == (BreakerStatus.CLOSED, 2 * FEWEST_JUDGED)


async def test_what_says_nothing_about_a_server_is_not_counted(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> None:
    assert await fail(health, await owe(store, due, 2 * FEWEST_JUDGED), Verdict.NONE) == ""
    state = await state_of(health)
    assert (state.status, state.answered, state.failed) == (BreakerStatus.CLOSED, 0, 0)


async def half_open(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> tuple[Owed, list[Owed]]:
    """The delivery that finds out whether a server is back, and those that wait for it."""
    await open_breaker(health, store, due)
    owed = await owe(store, due, 4)

    async def probe() -> list[Owed]:
        return await health.enter(await take_due(due))

    (entered,) = await health.enter(owed) or await eventually(probe, "one may try the server")
    return entered, [one for one in owed if one[0].id != entered[0].id]


async def test_one_delivery_finds_out_whether_a_server_is_back(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    health = with_rules(store_redis, probe_interval=SOON)
    entered, others = await half_open(health, store, due)
    assert (await state_of(health)).status is BreakerStatus.HALF_OPEN
    more = await owe(store, due, 2)
    assert await health.enter(more) == []
    assert await health.leave(entered[1], Verdict.ANSWERED) == "closed"
    state = await state_of(health)
    assert (state.status, state.opened_at, state.probe_at) == (BreakerStatus.CLOSED, None, None)
    # As many as there is room for are due at once, the others as these leave.
    hurried = await take_due(due)
    assert {one[0].id for one in hurried} <= {one[0].id for one in others}
    assert len(hurried) == 2
    assert await health.enter(hurried) == hurried


async def test_a_probe_in_vain_makes_the_next_wait_twice_as_long(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    health = with_rules(store_redis, probe_interval=SOON)
    waited = []
    entered, _ = await half_open(health, store, due)
    for _ in range(4):
        before = await now_ms(store_redis)
        assert await health.leave(entered[1], Verdict.FAILED) == ""
        state = await state_of(health)
        assert state.status is BreakerStatus.OPEN
        assert state.probe_at is not None
        waited.append(state.probe_at.timestamp() * 1000 - before)
        # Each is another of those that wait: none is tried again and again for it.
        if len(waited) < 4:
            (taken,) = await eventually(lambda: take_due(due), "another may try the server")
            (entered,) = await health.enter([taken])
    for n, wait in enumerate(waited, start=1):
        assert wait >= SOON.total_seconds() * 1000 * 2**n


async def test_a_probe_that_says_nothing_lets_another_try_at_once(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    health = with_rules(store_redis, probe_interval=SOON)
    entered, _ = await half_open(health, store, due)
    await health.leave(entered[1], Verdict.NONE)
    (another,) = await take_due(due)
    assert another[0].id != entered[0].id
    assert await health.enter([another]) == [another]


async def test_a_probe_whose_worker_died_is_followed_by_another(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    health = with_rules(store_redis, probe_interval=SOON, lease=SOON)
    entered, others = await half_open(health, store, due)

    async def probe() -> list[Owed]:
        return await health.enter(await take_due(due))

    (another,) = await eventually(probe, "another may try the server")
    assert another[0].id in {one[0].id for one in others}
    # The dead one's word comes too late to count.
    assert await health.leave(entered[1], Verdict.ANSWERED) == ""
    assert (await state_of(health)).status is BreakerStatus.HALF_OPEN


async def test_a_delivery_at_its_last_call_waits_for_no_breaker(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await open_breaker(health, store, due)
    owed = await owe(store, due, 3)
    assert await health.enter(owed[:1]) == []
    late = with_rules(store_redis, last_call=timedelta())
    assert await late.enter(owed[1:]) == owed[1:]
    # But for room.
    (more,) = await owe(store, due, 1)
    assert await late.enter([more]) == []


async def test_what_is_asked_for_again_is_done_once(
    health: EndpointHealth, store: GenerationStore, due: DueIndex
) -> None:
    owed = await owe(store, due, 3)
    for _ in range(2):
        assert await health.enter(owed) == owed[:2]
    for _ in range(2):
        await health.leave(owed[0][1], Verdict.FAILED)
    state = await state_of(health)
    assert (state.under_way, state.waiting, state.failed) == (1, 0, 1)


async def test_a_lost_claim_does_not_enter(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    ((claim, delivery),) = await owe(store, due, 1)
    await due.settle(claim, Step(to=DeliveryStatus.DELIVERED, due=None))
    assert await health.enter([(claim, delivery)]) == []
    assert await due_times(store_redis, claim.id) == {}
    state = await state_of(health)
    assert (state.under_way, state.waiting) == (0, 0)


async def test_what_waits_is_not_hurried_once_it_is_gone(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    owed = await owe(store, due, 4)
    await health.enter(owed)
    await store_redis.zrem(key("due:deliveries"), owed[2][0].id)
    await health.leave(owed[0][1], Verdict.ANSWERED)
    (hurried,) = await take_due(due)
    assert hurried[0].id == owed[3][0].id


@pytest.mark.parametrize("field", ["probe_at", "woken_for"])
async def test_a_clock_that_was_set_back_stops_no_probe(
    field: str, health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await open_breaker(health, store, due)
    ahead = await now_ms(store_redis) + 10**9
    await store_redis.hset(key(f"endpoint:{SERVER}"), field, str(ahead))
    owed = await owe(store, due, 1)
    entered = await health.enter(owed)
    assert entered == (owed if field == "probe_at" else [])


async def test_a_clock_that_was_set_back_leaves_no_place_taken(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    ahead = await now_ms(store_redis) + 10**9
    await store_redis.zadd(key(f"endpoint_slots:{SERVER}"), {"dlv_1": ahead, "dlv_2": ahead})
    owed = await owe(store, due, 1)
    assert await health.enter(owed) == owed


async def test_no_state_tells_what_an_origin_put_into_its_url(
    health: EndpointHealth, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await fail(health, await owe(store, due, 1))
    assert [state.server for state in await health.states()] == [SERVER]
    assert not [name for name in await store_redis.keys("*endpoint*") if "secret" in name]
