"""Deliveries that are told again, on a real server: what may be, what it keeps, what it costs."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.connection import key
from generations.deliveries import Deliveries
from generations.due import Claim, DueIndex
from generations.errors import DeliveryNotFound, DeliverySuperseded
from generations.indexes import UNFINISHED
from generations.lifecycle import DeliveryStatus, Status
from generations.model import ATTEMPTS_KEPT, Delivery, ErrorCode, Generation
from generations.selection import DeliveryFilter
from generations.steps import Due, Lane, Step, fail, finish, telling
from generations.store import GenerationStore
from tests.builders import ENDPOINT, an_attempt
from tests.integration.claiming import (
    BEGUN,
    accept,
    bring_to,
    due_times,
    now_ms,
    settled,
    take_delivery,
    told_of_success,
)
from tests.integration.test_due_safeguards import uncertain

KEEP = timedelta(days=7)
ENDS = [DeliveryStatus.DELIVERED, DeliveryStatus.EXHAUSTED]
EXHAUSTED = DeliveryFilter(statuses=frozenset({DeliveryStatus.EXHAUSTED}))


@pytest.fixture
def deliveries(store_redis: Redis, store: GenerationStore) -> Deliveries:
    return Deliveries(store_redis, store, keep=KEEP)


async def ended(
    store: GenerationStore,
    due: DueIndex,
    to: DeliveryStatus = DeliveryStatus.EXHAUSTED,
    *,
    attempts: int = 1,
) -> tuple[Generation, Delivery]:
    """A generation whose end was told, or is told no more, after so many attempts."""
    generation = await told_of_success(store, due)
    await end_delivery(due, to, attempts=attempts)
    (delivery,) = await store.find_deliveries(generation)
    assert delivery.status is to
    return generation, delivery


async def end_delivery(due: DueIndex, to: DeliveryStatus, *, attempts: int = 1) -> None:
    held, found = await take_delivery(due)
    first = found.attempts_made + 1
    for number in range(first, first + attempts - 1):
        again = Step(due=Due(Lane.DELIVERIES), attempt=an_attempt(number=number, status_code=500))
        held = await settled(due, held, again)
    last = an_attempt(number=first + attempts - 1)
    await settled(due, held, Step(due=None, to=to, attempt=last))


async def exhausted_ids(deliveries: Deliveries, origin: str | None = "studio") -> list[str]:
    page = await deliveries.page(EXHAUSTED, origin=origin, limit=100)
    return [one.id for one in page.rows]


@pytest.mark.parametrize("to", ENDS)
async def test_what_ended_is_pending_again_under_the_same_event_id(
    to: DeliveryStatus, store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    _, before = await ended(store, due, to, attempts=3)
    after = await deliveries.redeliver(before)
    assert after == replace(
        before,
        status=DeliveryStatus.PENDING,
        attempts_before=3,
        redelivered_at=after.redelivered_at,
    )
    assert after.redelivered_at is not None
    _, taken = await take_delivery(due)
    assert (taken.event_id, taken.begun_at) == (before.event_id, after.redelivered_at)


async def test_the_attempt_log_grows_and_its_schedule_counts_anew_each_time(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    _, delivery = await ended(store, due, attempts=2)
    for expected in (2, 4, 6):
        delivery = await deliveries.redeliver(delivery)
        assert delivery.attempts_before == expected
        await end_delivery(due, DeliveryStatus.EXHAUSTED, attempts=2)
        delivery = await deliveries.find(delivery.id)
        assert [one.number for one in delivery.attempts] == list(range(1, expected + 3))


async def test_of_what_is_told_again_and_again_the_last_attempts_stay(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    _, delivery = await ended(store, due, attempts=ATTEMPTS_KEPT - 1)
    for made in (ATTEMPTS_KEPT, ATTEMPTS_KEPT + 1, ATTEMPTS_KEPT + 2):
        delivery = await deliveries.redeliver(delivery)
        assert delivery.attempts_before == made - 1
        await end_delivery(due, DeliveryStatus.EXHAUSTED)
        delivery = await deliveries.find(delivery.id)
        assert delivery.attempts_made == made
        numbers = [one.number for one in delivery.attempts]
        assert numbers == list(range(max(1, made - ATTEMPTS_KEPT + 1), made + 1))


async def test_the_records_are_kept_until_it_is_told_and_so_long_from_then(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    generation, delivery = await ended(store, due)
    keys = [key(generation.id), key(delivery.id)]
    for one in keys:
        await store_redis.pexpire(one, 60_000)
    await deliveries.redeliver(delivery)
    assert [await store_redis.pttl(one) for one in keys] == [-1, -1]
    assert await store_redis.sismember(UNFINISHED, delivery.id)
    await end_delivery(due, DeliveryStatus.DELIVERED)
    assert all([await store_redis.pttl(one) > 60_000 for one in keys])
    assert await due_times(store_redis, delivery.id) == {}


async def test_what_is_pending_is_due_now_and_its_schedule_goes_on(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    await told_of_success(store, due)
    held, delivery = await take_delivery(due)
    later = Due(Lane.DELIVERIES, timedelta(hours=5))
    await settled(due, held, Step(due=later, attempt=an_attempt(status_code=500)))
    hurried = await deliveries.redeliver(delivery)
    assert (hurried.attempts_before, hurried.redelivered_at) == (0, None)
    assert (await due_times(store_redis, delivery.id))[Lane.DELIVERIES] <= await now_ms(store_redis)


async def test_what_a_worker_has_in_hand_is_not_given_to_another(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    await told_of_success(store, due)
    held, delivery = await take_delivery(due)
    await deliveries.redeliver(delivery)
    assert not await due.claim({Lane.DELIVERIES: 1}, lease=timedelta(minutes=5))
    await settled(due, held, Step(due=None, to=DeliveryStatus.DELIVERED))


async def test_an_intermediate_event_that_a_later_one_followed_is_not_told_again(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    generation = await accept(store, webhook=ENDPOINT, webhook_intermediate_status=True)
    held = await bring_to(due, Status.SUBMITTING)
    found = await store.find(generation.id)
    told = replace(BEGUN, tell=telling(found, Status.IN_PROGRESS))
    held = await settled(due, held, told)
    await end_delivery(due, DeliveryStatus.DELIVERED)
    (early,) = await store.find_deliveries(await store.find(generation.id))
    assert early.is_intermediate
    assert not (await deliveries.redeliver(early)).is_finished
    await end_delivery(due, DeliveryStatus.DELIVERED)
    await settled(due, held, finish(await store.find(generation.id), Status.SUCCEEDED))
    with pytest.raises(DeliverySuperseded):
        await deliveries.redeliver(early)
    assert (await deliveries.find(early.id)).status is DeliveryStatus.DELIVERED


async def test_what_was_superseded_is_not_told_again(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    _, delivery = await ended(store, due, DeliveryStatus.SUPERSEDED)
    with pytest.raises(DeliverySuperseded):
        await deliveries.redeliver(delivery)
    assert await deliveries.find(delivery.id) == delivery


async def test_an_end_that_an_operator_took_back_is_not_told_again(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    generation = await uncertain(store, due)
    await end_delivery(due, DeliveryStatus.EXHAUSTED)
    (delivery,) = await store.find_deliveries(await store.find(generation.id))
    assert await store.adopt(generation, "rc-1")
    with pytest.raises(DeliverySuperseded):
        await deliveries.redeliver(delivery)


async def test_what_is_kept_no_more_is_not_found(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    generation, delivery = await ended(store, due)
    await store_redis.delete(key(generation.id))
    with pytest.raises(DeliveryNotFound):
        await deliveries.redeliver(delivery)
    assert (await deliveries.find(delivery.id)).status is DeliveryStatus.EXHAUSTED
    await store_redis.delete(key(delivery.id))
    with pytest.raises(DeliveryNotFound):
        await deliveries.redeliver(delivery)


async def test_asked_for_many_times_at_once_it_is_told_once_more(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    _, delivery = await ended(store, due, attempts=2)
    found = await asyncio.gather(*(deliveries.redeliver(delivery) for _ in range(20)))
    assert {(one.status, one.attempts_before) for one in found} == {(DeliveryStatus.PENDING, 2)}
    await end_delivery(due, DeliveryStatus.DELIVERED)
    assert not await due.claim({Lane.DELIVERIES: 9}, lease=timedelta(minutes=5))


async def test_redeliveries_that_race_with_a_worker_lose_no_attempt(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    _, delivery = await ended(store, due)

    async def ask() -> None:
        for _ in range(40):
            await deliveries.redeliver(delivery)
            await asyncio.sleep(0)

    async def work() -> int:
        made = 0
        while made < 20:
            for claimed in await due.claim({Lane.DELIVERIES: 1}, lease=timedelta(minutes=5)):
                made += await attempt(claimed)
            if made < 20:
                await deliveries.redeliver(delivery)
        return made

    async def attempt(claimed: Claim) -> int:
        ((held, found),) = await due.take_deliveries([claimed], lease=timedelta(minutes=5))
        last = an_attempt(number=len(found.attempts) + 1)
        await settled(due, held, Step(due=None, to=DeliveryStatus.DELIVERED, attempt=last))
        return 1

    _, made = await asyncio.gather(ask(), work())
    after = await deliveries.find(delivery.id)
    assert [one.number for one in after.attempts] == list(range(1, made + 2))


# Lists and counts


async def test_the_exhausted_are_listed_and_counted_until_they_are_told_again(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    await store_redis.sadd(key("origins"), "studio", "archive")
    made = [(await ended(store, due))[1] for _ in range(3)]
    await ended(store, due, DeliveryStatus.DELIVERED)
    ids = [one.id for one in reversed(made)]
    assert await exhausted_ids(deliveries) == ids
    assert await exhausted_ids(deliveries, None) == ids
    assert await exhausted_ids(deliveries, "archive") == []
    assert await deliveries.count_exhausted() == {"archive": 0, "studio": 3}
    await deliveries.redeliver(made[1])
    assert await exhausted_ids(deliveries) == [ids[0], ids[2]]
    assert await deliveries.count_exhausted() == {"archive": 0, "studio": 2}


async def test_what_expired_is_counted_no_more_and_leaves_the_index(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    await store_redis.sadd(key("origins"), "studio")
    _, old = await ended(store, due)
    index = key("exhausted:studio")
    too_old = await now_ms(store_redis) - KEEP.total_seconds() * 1000 - 1
    await store_redis.zadd(index, {old.id: too_old})
    assert await deliveries.count_exhausted() == {"studio": 0}
    await ended(store, due)
    assert await store_redis.zscore(index, old.id) is None


async def test_deliveries_are_found_by_all_that_is_said_of_them(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    noted = await accept(store, webhook="https://other.example/a", metadata={"order": "4711"})
    held = await bring_to(due, Status.SUBMITTING)
    await settled(due, held, fail(await store.find(noted.id), ErrorCode.REJECTED, "No."))
    await end_delivery(due, DeliveryStatus.DELIVERED)
    (other,) = await store.find_deliveries(await store.find(noted.id))
    _, plain = await ended(store, due)

    async def ids(**said: object) -> list[str]:
        wanted = DeliveryFilter(**said)  # type: ignore[arg-type]  # Whatever the test says.
        found = await deliveries.page(wanted, origin="studio", limit=9)
        return [one.id for one in found.rows]

    delivered = frozenset({DeliveryStatus.DELIVERED})
    exhausted = frozenset({DeliveryStatus.EXHAUSTED})
    assert await ids() == [plain.id, other.id]
    assert await ids(statuses=delivered) == [other.id]
    assert await ids(metadata={"order": "4711"}) == [other.id]
    assert await ids(metadata={"order": "4712"}) == []
    assert await ids(endpoint="https://other.example/") == [other.id]
    assert await ids(created_after=other.created_at) == [plain.id]
    assert await ids(created_before=plain.created_at) == [other.id]
    assert await ids(created_before=plain.created_at, statuses=exhausted) == []
    assert await ids(created_after=other.created_at, statuses=exhausted) == [plain.id]


async def test_pages_of_exhausted_go_on_while_they_are_told_again(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries
) -> None:
    made = {(await ended(store, due))[1].id for _ in range(7)}
    seen: list[str] = []
    place = None
    while True:
        page = await deliveries.page(EXHAUSTED, origin="studio", limit=3, after=place)
        for one in page.rows:
            await deliveries.redeliver(one)
            seen.append(one.id)
        place = page.next
        if place is None:
            break
    assert (len(seen), set(seen)) == (7, made)


# Tests of endpoints


async def test_a_test_is_one_delivery_that_no_generation_has(
    due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    await store_redis.sadd(key("origins"), "studio")
    made = await deliveries.test(ENDPOINT, origin="studio")
    assert (made.event_type, made.is_test, made.status) == ("endpoint.test", True, "pending")
    held, taken = await take_delivery(due)
    assert taken == made
    last = Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=an_attempt(status_code=500))
    await settled(due, held, last)
    found = await deliveries.find(made.id)
    assert found.status is DeliveryStatus.EXHAUSTED
    assert await deliveries.count_exhausted() == {"studio": 0}
    with pytest.raises(DeliverySuperseded):
        await deliveries.redeliver(found)
    assert await store_redis.pttl(key(made.id)) > 0


async def test_another_origins_delivery_is_none(deliveries: Deliveries) -> None:
    made = await deliveries.test(ENDPOINT, origin="studio")
    assert await deliveries.find(made.id, origin="studio") == made
    with pytest.raises(DeliveryNotFound):
        await deliveries.find(made.id, origin="archive")
    with pytest.raises(DeliveryNotFound):
        await deliveries.find("generations")


async def test_a_delivery_that_left_its_lane_is_brought_back(
    store: GenerationStore, due: DueIndex, deliveries: Deliveries, store_redis: Redis
) -> None:
    _, delivery = await ended(store, due)
    await deliveries.redeliver(delivery)
    await store_redis.zrem(key("due:deliveries"), delivery.id)
    longest = dict.fromkeys(Lane, timedelta(days=1))
    assert (await due.audit(submitting=timedelta(minutes=1), longest=longest)).put_back == 1
    held, _ = await take_delivery(due)
    assert held.id == delivery.id
