"""Cancelling all that match, over real HTTP: what is meant and nothing else, never by accident."""

from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from api_gateway.cancelling import MOST_CANCELLED
from generations.lifecycle import Status
from generations.store import GenerationStore
from tests.builders import UNLISTED, a_new_generation
from tests.integration.played_worker import PlayedWorker

CANCEL = "/v1/generations/cancel"
NONE = {"count": 0, "ids": []}

Body = dict[str, Any]


async def create(origin: httpx.AsyncClient, **fields: Any) -> str:
    """The id of a new generation."""
    answer = await origin.post("/v1/generations", json={"model": UNLISTED, "input": {}, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def cancel(origin: httpx.AsyncClient, status_code: int = 200, **asked: Any) -> Body:
    answer = await origin.post(CANCEL, json=asked)
    assert answer.status_code == status_code, answer.text
    return dict(answer.json())


async def status_of(origin: httpx.AsyncClient, generation_id: str) -> str:
    return str((await origin.get(f"/v1/generations/{generation_id}")).json()["status"])


async def test_all_that_match_are_cancelled_and_no_others(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    old = await create(studio, metadata={"order": "4711"})
    await worker.bring_to(Status.SUCCEEDED)
    meant = [await create(studio, metadata={"order": "4711", "n": str(n)}) for n in range(3)]
    spared = await create(studio, metadata={"order": "4712"})
    answer = await cancel(studio, metadata={"order": "4711"})
    assert answer == {
        "cancelled": {"count": 3, "ids": meant[::-1]},
        "cancellation_requested": NONE,
        "next_cursor": None,
    }
    assert [await status_of(studio, i) for i in (old, *meant, spared)] == [
        "succeeded",
        *["cancelled"] * 3,
        "queued",
    ]
    assert (await cancel(studio, metadata={"order": "4711"}))["cancelled"] == NONE


async def test_what_runcomfy_has_is_asked_for_and_not_waited_for(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    running = await create(studio)
    await worker.bring_to(Status.IN_PROGRESS)
    queued = await create(studio)
    answer = await cancel(studio, 202, all=True)
    assert answer["cancelled"] == {"count": 1, "ids": [queued]}
    assert answer["cancellation_requested"] == {"count": 1, "ids": [running]}
    record = (await studio.get(f"/v1/generations/{running}")).json()
    assert record["status"] == "in_progress"
    assert record["cancel"]["outcome"] is None
    await worker.answer_cancel("cancelled")
    assert await status_of(studio, running) == "cancelled"
    assert (await cancel(studio, all=True))["cancelled"] == NONE


async def test_every_filter_narrows_it_down(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    running = await create(studio)
    await worker.bring_to(Status.IN_QUEUE)
    first = (await studio.get(f"/v1/generations/{running}")).json()["created_at"]
    queued = await create(studio)
    other = await create(studio, model="other/model")
    for spares_all in (
        {"model": "third/model"},
        {"created_before": first},
        {"created_after": "2999-01-01T00:00:00Z"},
        {"status": ["submitting"]},
        {"status": ["queued"], "metadata": {"a": "b"}},
        {"all": True, "model": "third/model"},
        {"status": ["succeeded", "failed", "cancelled"]},
    ):
        answer = await cancel(studio, **spares_all)
        assert (answer["cancelled"], answer["cancellation_requested"]) == (NONE, NONE)
    assert (await cancel(studio, model="other/model"))["cancelled"]["ids"] == [other]
    assert (await cancel(studio, status=["queued", "failed"]))["cancelled"]["ids"] == [queued]
    found = await cancel(studio, 202, created_after="2020-01-01T00:00:00+01:00")
    assert found["cancellation_requested"]["ids"] == [running]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#"),
        ({"all": False}, "#"),
        ({"status": [], "metadata": {}, "model": None}, "#"),
        ({"all": "true"}, "#/all"),
        ({"all": True, "statuses": ["queued"]}, "#/statuses"),
        ({"status": "queued"}, "#/status"),
        ({"status": ["done"]}, "#/status/0"),
        ({"created_before": "today"}, "#/created_before"),
        ({"metadata": {"n": 1}}, "#/metadata/n"),
        ({"all": True, "limit": 1}, "#/limit"),
    ],
)
async def test_nobody_cancels_everything_by_accident(
    studio: httpx.AsyncClient, body: Body, pointer: str
) -> None:
    generation_id = await create(studio)
    answer = await studio.post(CANCEL, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await status_of(studio, generation_id) == "queued"


async def test_an_empty_body_and_a_wrong_cursor_are_refused(studio: httpx.AsyncClient) -> None:
    assert (await studio.post(CANCEL)).status_code == 400
    answer = await studio.post(CANCEL, json={"all": True, "cursor": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_another_origins_are_never_meant(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient
) -> None:
    theirs = await create(archive)
    mine = await create(studio)
    assert (await cancel(studio, all=True))["cancelled"]["ids"] == [mine]
    assert await status_of(archive, theirs) == "queued"


async def test_more_than_one_call_takes_go_on_from_the_cursor(
    studio: httpx.AsyncClient, store: GenerationStore, store_redis: Redis
) -> None:
    made = [a_new_generation() for _ in range(MOST_CANCELLED + 20)]
    for new in made:
        await store.accept(new)
    first = await cancel(studio, all=True)
    newer = await create(studio)
    second = await cancel(studio, all=True, cursor=first["next_cursor"])
    assert first["cancelled"]["count"] == MOST_CANCELLED
    assert second["cancelled"]["count"] == 20
    assert second["next_cursor"] is None
    ids = {*first["cancelled"]["ids"], *second["cancelled"]["ids"]}
    assert ids == {new.id for new in made}
    assert await status_of(studio, newer) == "queued"
    assert await store_redis.scard("darkroom:unfinished") == 1
