"""Waiting for a generation over real HTTP: on submit for its end, on status for its next move."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from redis.asyncio import Redis

from generations.lifecycle import Status
from tests.builders import UNLISTED
from tests.integration.played_worker import OUTPUT, PlayedWorker
from tests.integration.reads import Reads
from tests.waiting import PATIENCE

SUBMITS: Final = [
    (f"/v1/models/{UNLISTED}", {"prompt": "A gentle breeze"}),
    ("/v1/generations", {"model": UNLISTED, "input": {"prompt": "A gentle breeze"}}),
]
STATUSES: Final = ["/v1/generations/{}", "/v1/requests/{}/status"]
#: More seconds than any of these tests may take: what answers earlier was woken.
LONG: Final = 60


Asked = Callable[..., asyncio.Task[httpx.Response]]


@pytest.fixture
def reads(store_redis: Redis) -> Reads:
    """The reads of this test."""
    return Reads(store_redis)


@pytest.fixture
def asked(studio: httpx.AsyncClient) -> Asked:
    """A call that is under way."""

    def ask(method: str, path: str, **more: Any) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(studio.request(method, path, timeout=PATIENCE, **more))

    return ask


async def submit(origin: httpx.AsyncClient) -> str:
    """The id of a new generation."""
    answer = await origin.post("/v1/generations", json=SUBMITS[1][1])
    return str(answer.json()["id"])


@pytest.mark.parametrize(("path", "body"), SUBMITS)
async def test_a_preferred_wait_ends_with_the_generation(
    asked: Asked, worker: PlayedWorker, path: str, body: dict[str, Any]
) -> None:
    answer = asked("POST", path, json=body, headers={"Prefer": f"wait={LONG}"})
    await worker.bring_to(Status.SUCCEEDED)
    got = await answer
    assert got.is_success
    assert got.headers["Preference-Applied"] == f"wait={LONG}"
    assert got.json()["status"] == "succeeded"
    assert got.json()["output"] == OUTPUT


@pytest.mark.parametrize(("path", "body"), SUBMITS)
async def test_a_preferred_wait_that_is_over_is_answered_with_what_is_so_far(
    studio: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    began = time.monotonic()
    answer = await studio.post(path, json=body, headers={"Prefer": "wait=1"})
    assert time.monotonic() - began >= 1
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.json()["status"] in {"queued", "in_queue"}


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=0", "wait=0"),
        ("respond-async, wait=0", "wait=0"),
        ("return=minimal", None),
        ("wait=soon", None),
        (None, None),
    ],
)
@pytest.mark.parametrize(("path", "body"), SUBMITS)
async def test_a_preference_that_is_no_wait_is_ignored(
    studio: httpx.AsyncClient,
    path: str,
    body: dict[str, Any],
    prefer: str | None,
    applied: str | None,
) -> None:
    answer = await studio.post(path, json=body, headers={"Prefer": prefer} if prefer else {})
    assert answer.is_success
    assert answer.headers.get("Preference-Applied") == applied


async def test_without_the_preference_runcomfys_route_answers_as_runcomfy_does(
    studio: httpx.AsyncClient,
) -> None:
    path, body = SUBMITS[0]
    plain = (await studio.post(path, json=body)).json()
    assert set(plain) == {"request_id", "status_url", "result_url", "cancel_url"}
    waited = (await studio.post(path, json=body, headers={"Prefer": "wait=0"})).json()
    assert {*plain, "model_id", "status"} < set(waited)


@pytest.mark.parametrize(("path", "body"), SUBMITS)
async def test_a_replayed_submit_waits_too(
    asked: Asked, worker: PlayedWorker, path: str, body: dict[str, Any]
) -> None:
    headers = {"Prefer": f"wait={LONG}", "Idempotency-Key": "order-4711"}
    both = [asked("POST", path, json=body, headers=headers) for _ in range(2)]
    await worker.bring_to(Status.SUCCEEDED)
    answers = [await answer for answer in both]
    assert [answer.json()["output"] for answer in answers] == [OUTPUT] * 2
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 1
    # And once it has ended, there is nothing to wait for.
    late = await asked("POST", path, json=body, headers=headers)
    assert late.json()["output"] == OUTPUT


@pytest.mark.parametrize("path", STATUSES)
async def test_a_wait_for_the_status_ends_with_the_next_move(
    studio: httpx.AsyncClient, asked: Asked, worker: PlayedWorker, reads: Reads, path: str
) -> None:
    generation_id = await submit(studio)
    claim = await worker.move(await worker.begin_submission(), Status.IN_QUEUE)
    await reads.begin(studio, generation_id)
    waiting = asked("GET", path.format(generation_id), params={"wait": LONG})
    await reads.until_waiting(1)
    await worker.move(claim, Status.IN_PROGRESS)
    assert (await waiting).json()["status"] == "in_progress"


async def test_a_move_that_runcomfys_words_do_not_show_ends_no_wait_on_its_route(
    studio: httpx.AsyncClient, asked: Asked, worker: PlayedWorker, reads: Reads
) -> None:
    generation_id = await submit(studio)
    await reads.begin(studio, generation_id)
    shown = asked("GET", f"/v1/requests/{generation_id}/status", params={"wait": LONG})
    native = asked("GET", f"/v1/generations/{generation_id}", params={"wait": LONG})
    await reads.until_waiting(2)
    claim = await worker.begin_submission()
    assert (await native).json()["status"] == "submitting"
    claim = await worker.move(claim, Status.IN_QUEUE)
    await worker.move(claim, Status.IN_PROGRESS)
    assert (await shown).json()["status"] == "in_progress"


async def test_waiting_asks_redis_nothing(
    studio: httpx.AsyncClient, asked: Asked, worker: PlayedWorker, reads: Reads
) -> None:
    generation_id = await submit(studio)
    await reads.begin(studio, generation_id)
    waiting = [
        asked("GET", f"/v1/generations/{generation_id}", params={"wait": LONG}) for _ in range(30)
    ]
    await reads.until_waiting(30)
    before = await reads.count()
    await asyncio.sleep(0.5)  # Nothing is awaited: the claim is that nothing happens.
    assert await reads.count() == before
    await worker.begin_submission()
    assert {(await answer).json()["status"] for answer in waiting} == {"submitting"}


@pytest.mark.parametrize("path", STATUSES)
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
async def test_what_has_ended_is_not_waited_for(
    studio: httpx.AsyncClient, asked: Asked, worker: PlayedWorker, path: str, status: Status
) -> None:
    generation_id = await submit(studio)
    await worker.bring_to(status)
    answer = await asked("GET", path.format(generation_id), params={"wait": LONG})
    assert answer.json()["status"] in {status, "completed"}


@pytest.mark.parametrize("path", STATUSES)
@pytest.mark.parametrize("wait", ["-1", "61", "soon", "1.5", ""])
async def test_a_wait_that_is_none_is_refused(
    studio: httpx.AsyncClient, path: str, wait: str
) -> None:
    answer = await studio.get(path.format(await submit(studio)), params={"wait": wait})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["?wait"]


@pytest.mark.parametrize("path", STATUSES)
async def test_nobody_waits_for_what_is_anothers(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient, path: str
) -> None:
    foreign = path.format(await submit(studio))
    answer = await archive.get(foreign, params={"wait": LONG}, timeout=PATIENCE)
    assert answer.status_code == 404
