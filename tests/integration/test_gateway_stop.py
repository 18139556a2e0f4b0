"""A gateway that is told to stop answers at once whoever waits, and ends in order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest_asyncio
from redis.asyncio import Redis

from generations.origins import OriginStore
from tests.builders import UNLISTED
from tests.event_streams import events_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.reads import Reads
from tests.waiting import PATIENCE, eventually

ASKED: Final = {"model": UNLISTED, "input": {}}


@pytest_asyncio.fixture
async def stopping(redis_url: str, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway that the test stops."""
    started = await asyncio.to_thread(GatewayProcess, tmp_path / "gateway.log", redis_url=redis_url)
    yield started
    started.process.kill()
    started.process.wait()


async def test_whoever_waits_is_answered_when_the_gateway_stops(
    stopping: GatewayProcess, store_redis: Redis
) -> None:
    made = await OriginStore(store_redis).create_key("studio")
    headers = {"Authorization": f"Bearer {made.api_key}"}
    async with httpx.AsyncClient(
        base_url=stopping.url, headers=headers, verify=False, timeout=PATIENCE
    ) as origin:
        generation_id = (await origin.post("/v1/generations", json=ASKED)).json()["id"]
        reads = Reads(store_redis)
        await reads.begin(origin, generation_id)
        status = asyncio.create_task(
            origin.get(f"/v1/requests/{generation_id}/status", params={"wait": 60})
        )
        await reads.until_waiting(1)
        submit = asyncio.create_task(
            origin.post("/v1/generations", json=ASKED, headers={"Prefer": "wait"})
        )
        async with origin.stream("GET", f"/v1/generations/{generation_id}/events") as stream:
            events = events_of(stream)
            assert (await anext(events)).name == "generation.queued"
            await eventually(lambda: accepted(store_redis, 2), "both were accepted")

            stopping.process.terminate()

            assert [event async for event in events] == []
        assert (await submit).json()["status"] == "queued"
        assert (await status).json()["status"] == "in_queue"
    code = await asyncio.to_thread(stopping.process.wait, PATIENCE)
    assert code == 0, stopping.log
    assert "Traceback" not in stopping.log


async def accepted(redis: Redis, count: int) -> bool:
    """Whether so many generations are on record."""
    return int(await redis.zcard("darkroom:generations")) >= count
