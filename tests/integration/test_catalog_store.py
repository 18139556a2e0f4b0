"""The catalog in Redis: kept whole, replaced whole, and read only when it is another."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.catalog_store import CatalogCopy, CatalogStore
from tests.builders import SEEDANCE
from tests.integration.conftest import HOUR
from tests.waiting import eventually

FOX = {"model_id": "studio/fox"}
OWL = {"model_id": "studio/owl"}


@pytest.fixture
def catalogs(store_redis: Redis) -> CatalogStore:
    return CatalogStore(store_redis)


async def test_a_catalog_is_kept_in_place_of_the_one_before(catalogs: CatalogStore) -> None:
    assert await catalogs.read() == []
    assert await catalogs.version() is None
    assert await catalogs.save([FOX, OWL], fresh_for=HOUR)
    first = await catalogs.version()
    assert await catalogs.save([OWL], fresh_for=HOUR)
    assert await catalogs.read() == [OWL]
    assert await catalogs.version() not in {None, first}


async def test_the_same_catalog_changes_nothing(catalogs: CatalogStore) -> None:
    await catalogs.save([FOX], fresh_for=HOUR)
    version = await catalogs.version()
    assert not await catalogs.save([FOX], fresh_for=HOUR)
    assert await catalogs.version() == version


async def test_a_catalog_is_fresh_for_a_while(catalogs: CatalogStore) -> None:
    assert not await catalogs.is_fresh()
    await catalogs.save([FOX], fresh_for=HOUR)
    assert await catalogs.is_fresh()
    await catalogs.save([FOX], fresh_for=timedelta())

    async def is_over() -> bool:
        return not await catalogs.is_fresh()

    await eventually(is_over, "the catalog is fresh no more")


async def test_a_copy_has_the_bundled_models_and_follows(catalogs: CatalogStore) -> None:
    copy = CatalogCopy(catalogs)
    assert copy.current.find(SEEDANCE) is not None
    await catalogs.save([FOX], fresh_for=HOUR)
    await copy.look()
    assert [model.id for model in copy.current] == [FOX["model_id"], SEEDANCE]
    before = copy.current
    await copy.look()
    assert copy.current is before


async def test_a_copy_of_a_store_that_was_wiped_has_the_bundled_models(
    catalogs: CatalogStore, store_redis: Redis
) -> None:
    copy = CatalogCopy(catalogs)
    await catalogs.save([FOX], fresh_for=HOUR)
    await copy.look()
    await store_redis.flushdb()
    await copy.look()
    assert [model.id for model in copy.current] == [SEEDANCE]
