"""When a generation will have ended, about, as its record tells."""

import asyncio
from datetime import datetime

import httpx

from generations.connection import Redis
from generations.durations import Ran
from generations.durations_store import DurationStore
from generations.ids import GENERATION, new_id
from generations.lifecycle import Status
from tests.integration.played_worker import PlayedWorker


async def submitted(
    studio: httpx.AsyncClient, worker: PlayedWorker, redis: Redis, *, known: int
) -> dict[str, str | None]:
    """The record of one that RunComfy has, and of whose model so many ends are known."""
    # A model of its own: the gateway does not look again for some seconds.
    model = f"runcomfy/{new_id(GENERATION)}/text-to-image"
    kept = DurationStore(redis)
    await asyncio.gather(*(kept.note(model, "", Ran(0, 60, 60)) for _ in range(known)))
    made = await studio.post("/v1/generations", json={"model": model, "input": {}})
    await worker.bring_to(Status.IN_QUEUE)
    answer = await studio.get(f"/v1/generations/{made.json()['id']}")
    record: dict[str, str | None] = answer.json()
    return record


async def test_the_estimate_is_what_generations_like_it_took(
    studio: httpx.AsyncClient, worker: PlayedWorker, store_redis: Redis
) -> None:
    record = await submitted(studio, worker, store_redis, known=20)
    assert record["created_at"] is not None
    assert record["estimated_finish_at"] is not None
    ends_at = datetime.fromisoformat(record["estimated_finish_at"])
    takes = ends_at - datetime.fromisoformat(record["created_at"])
    # Whatever time the test has lost, it is not part of it.
    assert takes.total_seconds() > 55


async def test_there_is_none_while_too_few_have_ended(
    studio: httpx.AsyncClient, worker: PlayedWorker, store_redis: Redis
) -> None:
    record = await submitted(studio, worker, store_redis, known=3)
    assert record["status"] == "in_queue"
    assert record["estimated_finish_at"] is None
