"""How long models took, kept by one program and read by another."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from generations.catalog_store import CatalogCopy, CatalogStore
from generations.connection import Redis, connect, key
from generations.durations import KEPT, LETTERS, UNKNOWN, Ran, read_ran
from generations.durations_store import MOST_KINDS, Durations, DurationStore
from generations.lifecycle import Status
from generations.model import Generation
from tests.builders import SEEDANCE, UNLISTED, a_generation

HASH = key(f"durations:{UNLISTED}")


@pytest.fixture
def kept(store_redis: Redis) -> DurationStore:
    return DurationStore(store_redis)


@pytest_asyncio.fixture
async def noting(store_redis: Redis) -> Durations:
    return durations(store_redis)


def durations(redis: Redis) -> Durations:
    """As a program has it that was just started."""
    return Durations(DurationStore(redis), CatalogCopy(CatalogStore(redis)))


def taking(seconds: float) -> Ran:
    return Ran(queued=0, least=seconds, most=seconds)


def asking_for(model_id: str = UNLISTED, **given: Any) -> Generation:
    return a_generation(status=Status.IN_QUEUE, model_id=model_id, input=given)


async def usual(redis: Redis, generation: Generation) -> float:
    """The usual time of generations like one, in the eyes of a program that starts now."""
    running = (await durations(redis).pace_of(generation)).running
    assert running is not None
    return running.typical(0.0)


async def test_an_end_is_kept_for_its_kind_and_for_its_model(kept: DurationStore) -> None:
    await kept.note(UNLISTED, "duration=5", taking(60))
    await kept.note(UNLISTED, "duration=8", taking(90))
    own, of_model = await kept.read(UNLISTED, "duration=5")
    assert len(read_ran(own)) == 1
    assert [round(ran.most) for ran in read_ran(of_model)] == [90, 60]


async def test_only_the_latest_ends_are_kept(kept: DurationStore) -> None:
    await asyncio.gather(*(kept.note(UNLISTED, "", taking(60)) for _ in range(KEPT + 10)))
    await kept.note(UNLISTED, "", taking(90))
    own, _ = await kept.read(UNLISTED, "")
    assert len(own) == KEPT * LETTERS
    assert round(read_ran(own)[0].most) == 90


async def test_kinds_are_bounded_and_the_model_as_a_whole_stays(
    kept: DurationStore, store_redis: Redis
) -> None:
    for n in range(MOST_KINDS + 20):
        await kept.note(UNLISTED, f"duration={n}", taking(60))
    assert await store_redis.hlen(HASH) == MOST_KINDS + 1
    _, of_model = await kept.read(UNLISTED, "")
    assert len(read_ran(of_model)) == MOST_KINDS + 20


async def test_a_model_that_nobody_asks_for_is_forgotten(
    kept: DurationStore, store_redis: Redis
) -> None:
    await kept.note(UNLISTED, "", taking(60))
    assert 29 * 86400 < await store_redis.ttl(HASH) <= 30 * 86400


async def test_what_one_program_learned_another_knows(
    noting: Durations, store_redis: Redis
) -> None:
    for _ in range(20):
        await noting.note(asking_for(duration=5), taking(60))
        await noting.note(asking_for(duration=10), taking(120))
    assert 55 < await usual(store_redis, asking_for(duration=5)) < 66
    assert 110 < await usual(store_redis, asking_for(duration=10)) < 132


async def test_a_kind_that_is_new_goes_by_its_model(noting: Durations, store_redis: Redis) -> None:
    for _ in range(20):
        await noting.note(asking_for(duration=5), taking(60))
    assert 55 < await usual(store_redis, asking_for(duration=7)) < 66


async def test_of_a_listed_model_the_schema_says_what_tells_kinds_apart(
    noting: Durations, store_redis: Redis
) -> None:
    await noting.note(asking_for(SEEDANCE, prompt="A secret", resolution="480p"), taking(60))
    kinds = await store_redis.hkeys(key(f"durations:{SEEDANCE}"))
    assert any("resolution=480p" in kind for kind in kinds)
    assert not any("ecret" in kind for kind in kinds)


async def test_many_who_ask_at_once_read_once(noting: Durations, store_redis: Redis) -> None:
    await noting.note(asking_for(), taking(60))
    fresh = durations(store_redis)
    paces = await asyncio.gather(*(fresh.pace_of(asking_for()) for _ in range(50)))
    assert len({id(pace) for pace in paces}) == 1
    assert paces[0] is not UNKNOWN


async def test_what_is_kept_there_by_another_version_is_as_nothing(
    noting: Durations, store_redis: Redis
) -> None:
    await store_redis.hset(HASH, mapping={"": "something else"})
    assert await noting.pace_of(asking_for()) is UNKNOWN


async def test_without_redis_polls_go_on_with_what_is_known() -> None:
    redis = connect("redis://127.0.0.1:1/0")
    alone = durations(redis)
    await alone.note(asking_for(), taking(60))
    assert await alone.pace_of(asking_for()) is UNKNOWN
    await redis.aclose()
