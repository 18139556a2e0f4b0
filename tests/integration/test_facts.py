"""What exporters read of Redis."""

from datetime import timedelta

import pytest
from prometheus_client.metrics_core import Metric

from generations.breaker import BREAKER_FAILURES
from generations.connection import Redis, key
from generations.due import DueIndex
from generations.endpoint_health import ENDPOINTS
from generations.facts import FactReader, families
from generations.indexes import exhausted_key
from generations.limits import Limits
from generations.origins import OriginStore
from generations.steps import Lane
from generations.store import GenerationStore
from tests.builders import a_new_generation


@pytest.fixture
def reader(store_redis: Redis) -> FactReader:
    return FactReader(store_redis, keep=timedelta(days=7))


def values(found: list[Metric]) -> dict[str, float]:
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in found
        for sample in family.samples
    }


async def test_nothing_is_due_and_nothing_unfinished(reader: FactReader) -> None:
    facts = await reader.read()
    assert (facts.unfinished_generations, facts.unfinished_deliveries) == (0, 0)
    assert [(lane.due, lane.oldest_due_age) for lane in facts.lanes] == [(0, 0)] * 3
    assert not facts.is_breaker_open


async def test_what_is_accepted_is_due_until_it_is_claimed(
    reader: FactReader, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    accepted = [await store.accept(a_new_generation()) for _ in range(2)]
    # As if it had been accepted a minute earlier.
    await store_redis.hincrby(key(accepted[0].id), "created_at", -60_000)
    facts = await reader.read()
    submissions = facts.lanes[0]
    assert (facts.unfinished_generations, submissions.due) == (2, 2)
    assert 60 <= submissions.oldest_due_age < 120
    await due.claim({Lane.SUBMISSIONS: 10}, lease=timedelta(minutes=1))
    facts = await reader.read()
    assert facts.unfinished_generations == 2
    assert (facts.lanes[0].due, facts.lanes[0].oldest_due_age) == (0, 0)
    assert facts.lanes[0].entries == 2


async def test_who_waits_because_of_its_own_limit_is_not_late(
    reader: FactReader, store: GenerationStore, due: DueIndex, origins: OriginStore
) -> None:
    await origins.create_key("studio")
    await origins.limit("studio", Limits(max_in_flight=1))
    for _ in range(3):
        await store.accept(a_new_generation())
    assert (await reader.read()).lanes[0].due == 3
    await due.claim({Lane.SUBMISSIONS: 10}, lease=timedelta(minutes=1))
    await due.claim({Lane.SUBMISSIONS: 10}, lease=timedelta(minutes=1))
    submissions = (await reader.read()).lanes[0]
    assert (submissions.entries, submissions.due, submissions.oldest_due_age) == (3, 0, 0)


async def test_the_breaker_is_told(reader: FactReader, due: DueIndex) -> None:
    await due.report(answered=False, failures=BREAKER_FAILURES)
    shown = values(list(families(await reader.read())))
    assert shown["darkroom_runcomfy_breaker_open"] == 1
    assert shown["darkroom_redis_up"] == 1
    assert shown["darkroom_oldest_due_age_seconds submissions"] == 0


async def test_servers_behind_endpoints_are_told_by_their_breakers(
    reader: FactReader, store_redis: Redis
) -> None:
    for server in ("https://up.example:443", "https://down.example:443"):
        await store_redis.zadd(ENDPOINTS, {server: 1})
    await store_redis.hset(key("endpoint:https://down.example:443"), "opened_at", "1")
    facts = await reader.read()
    assert facts.servers == {"closed": 1, "open": 1, "half_open": 0}


async def test_exhausted_deliveries_are_told_until_they_expire_or_are_told_again(
    reader: FactReader, store_redis: Redis
) -> None:
    now = int((await store_redis.time())[0]) * 1000
    week = 7 * 24 * 3600 * 1000
    for delivery_id, at in (("dlv_1", now), ("dlv_2", now - 1000), ("dlv_3", now - week - 1000)):
        await store_redis.zadd(exhausted_key(), {delivery_id: at})
    shown = values(list(families(await reader.read())))
    assert shown["darkroom_exhausted_deliveries"] == 2
    await store_redis.zrem(exhausted_key(), "dlv_1")
    assert (await reader.read()).exhausted_deliveries == 1


def test_without_redis_that_is_all_there_is_to_tell() -> None:
    assert values(list(families(None))) == {"darkroom_redis_up": 0}
