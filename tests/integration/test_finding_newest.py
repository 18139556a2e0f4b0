"""What ``darkroom generations list`` reads: everybody's, in as many pages as it takes."""

import pytest
from redis.asyncio import Redis

from api_gateway.parts import Parts
from generations.lifecycle import Status
from generations.selection import Filter
from generations.settings import GatewaySettings
from generations.store import GenerationStore
from ops.showing import PAGE, Shown, find_newest
from tests.integration.claiming import accept


@pytest.fixture
def parts(store_redis: Redis) -> Parts:
    return Parts.over(store_redis, GatewaySettings())


def ids(shown: list[Shown]) -> list[str]:
    return [one.generation.id for one in shown]


async def test_as_many_as_are_asked_for_are_found_over_pages(
    parts: Parts, store: GenerationStore
) -> None:
    made = [await accept(store, origin=("studio", "archive")[n % 2]) for n in range(PAGE + 20)]
    found = await find_newest(parts, Filter(), origin=None, limit=PAGE + 10)
    accepted = [(one.generation.created_at, one.generation.id) for one in found]
    assert accepted == sorted(accepted, reverse=True)
    assert len(set(ids(found))) == PAGE + 10
    studios = await find_newest(parts, Filter(), origin="studio", limit=PAGE * 2)
    assert set(ids(studios)) == {generation.id for generation in made[::2]}
    assert {one.queue_position for one in studios} <= set(range(1, PAGE + 21))


async def test_only_what_fits_is_found(parts: Parts, store: GenerationStore) -> None:
    noted = await accept(store, metadata={"order": "4711"})
    await store.cancel(await accept(store, metadata={"order": "4711"}))
    await accept(store)
    wanted = Filter(statuses=frozenset({Status.QUEUED}), metadata={"order": "4711"})
    assert ids(await find_newest(parts, wanted, origin=None, limit=5)) == [noted.id]
