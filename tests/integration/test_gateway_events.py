"""Server-sent events over real HTTP: each once, in order, resumable, ended cleanly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest
from redis.asyncio import Redis

from api_gateway.events import texts
from api_gateway.following import following
from api_gateway.parts import Parts
from generations.lifecycle import Status
from generations.moves import CHANNEL
from generations.presentation import event_body
from generations.settings import GatewaySettings
from generations.store import GenerationStore
from tests.builders import UNLISTED, a_new_generation
from tests.event_streams import Event, events_of
from tests.integration.played_worker import PlayedWorker
from tests.waiting import PATIENCE, eventually

WAY: Final = ["queued", "submitting", "in_queue", "in_progress", "succeeded"]


async def submit(origin: httpx.AsyncClient) -> str:
    """The id of a new generation."""
    answer = await origin.post("/v1/generations", json={"model": UNLISTED, "input": {}})
    return str(answer.json()["id"])


@asynccontextmanager
async def stream(
    origin: httpx.AsyncClient, generation_id: str, **more: Any
) -> AsyncIterator[httpx.Response]:
    """The open stream of a generation's events."""
    path = f"/v1/generations/{generation_id}/events"
    async with origin.stream("GET", path, timeout=PATIENCE, **more) as answer:
        assert answer.status_code == 200
        yield answer


async def all_events(origin: httpx.AsyncClient, generation_id: str, **more: Any) -> list[Event]:
    """Every event until the stream ends."""
    async with stream(origin, generation_id, **more) as answer:
        return [event async for event in events_of(answer)]


async def test_what_happened_is_told_and_then_what_happens_until_the_end(
    studio: httpx.AsyncClient, worker: PlayedWorker, store: GenerationStore
) -> None:
    generation_id = await submit(studio)
    claim = await worker.begin_submission()
    told: list[Event] = []
    async with stream(studio, generation_id) as answer:
        async for event in events_of(answer):
            told.append(event)
            if event.name == "generation.submitting":
                claim = await worker.move(claim, Status.IN_QUEUE)
            elif event.name == "generation.in_queue":
                claim = await worker.move(claim, Status.IN_PROGRESS)
            elif event.name == "generation.in_progress":
                await worker.end(claim, await store.find(generation_id), Status.SUCCEEDED)
    assert [event.name for event in told] == [f"generation.{status}" for status in WAY]
    assert [event.id for event in told] == ["1", "2", "3", "4", "5"]
    assert [event.body["data"]["sequence"] for event in told] == [1, 2, 3, 4, 5]
    assert told[-1].body == event_body(await store.find(generation_id), 5)


async def test_the_headers_keep_it_flowing(studio: httpx.AsyncClient) -> None:
    async with stream(studio, await submit(studio)) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in answer.headers


async def test_a_stream_resumes_after_the_last_event_that_was_seen(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await submit(studio)
    await worker.bring_to(Status.SUCCEEDED)
    whole = await all_events(studio, generation_id)
    assert len(whole) == 5
    for seen in range(5):
        header = await all_events(studio, generation_id, headers={"Last-Event-ID": str(seen)})
        query = await all_events(studio, generation_id, params={"last_event_id": seen})
        assert header == query == whole[seen:]


async def test_the_header_of_a_reconnecting_client_counts_more_than_its_url(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await submit(studio)
    await worker.bring_to(Status.SUCCEEDED)
    both = {"headers": {"Last-Event-ID": "4"}, "params": {"last_event_id": 1}}
    assert [event.id for event in await all_events(studio, generation_id, **both)] == ["5"]


@pytest.mark.parametrize("seen", ["5", "6"])
async def test_who_saw_the_end_is_told_not_to_connect_again(
    studio: httpx.AsyncClient, worker: PlayedWorker, seen: str
) -> None:
    path = f"/v1/generations/{await submit(studio)}/events"
    await worker.bring_to(Status.SUCCEEDED)
    answer = await studio.get(path, headers={"Last-Event-ID": seen})
    # An EventSource connects again after everything else.
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("wrong", ["-1", "one", "1.5", "99999999999999999999"])
async def test_a_last_event_id_that_was_never_given_is_refused(
    studio: httpx.AsyncClient, wrong: str
) -> None:
    path = f"/v1/generations/{await submit(studio)}/events"
    for more in ({"headers": {"Last-Event-ID": wrong}}, {"params": {"last_event_id": wrong}}):
        answer = await studio.get(path, **more)  # type: ignore[arg-type]  # One of both.
        assert answer.status_code == 422
        assert answer.json()["code"] == "invalid_request"


async def test_the_events_of_others_are_not_there(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    path = f"/v1/generations/{await submit(studio)}/events"
    assert (await archive.get(path)).status_code == 404
    assert (await stranger.get(path)).status_code == 401


async def test_a_caller_that_left_is_followed_no_more(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    generation_id = await submit(studio)
    status = f"/v1/generations/{generation_id}"
    with pytest.raises(httpx.ReadTimeout):
        await studio.get(status, params={"wait": 60}, timeout=0.5)
    async with stream(studio, generation_id):
        pass

    async def reads() -> int:
        stats = await store_redis.info("commandstats")
        return int(stats["cmdstat_hgetall"]["calls"])

    async def nobody_listens() -> bool:
        before = await reads()
        await store_redis.publish(CHANNEL, f"{generation_id} 2")
        await asyncio.sleep(0.3)  # Whoever listens reads the record at once.
        return await reads() == before

    await eventually(nobody_listens, "nobody listens")


async def test_a_silent_stream_shows_that_it_stands(
    store: GenerationStore, store_redis: Redis
) -> None:
    parts = Parts.over(store_redis, GatewaySettings())
    generation = await store.accept(a_new_generation())
    async with following(generation.id, parts, asyncio.Event().wait) as follower:  # type: ignore[arg-type]  # A caller that stays.
        told = texts(follower, 1, heartbeat=0.01)
        assert [await anext(told) for _ in range(4)] == [":\n\n"] * 4
        parts.moves.let_go()
        assert [text async for text in told] == []
