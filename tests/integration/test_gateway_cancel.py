"""Cancelling on both faces: at once while queued, else as RunComfy says, else later."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from generations.lifecycle import Status
from generations.presentation import SHOWN
from generations.steps import Lane
from tests.builders import UNLISTED
from tests.integration.played_worker import PlayedWorker

WAITING = [Status.IN_QUEUE, Status.IN_PROGRESS]


async def create(origin: httpx.AsyncClient, **fields: Any) -> str:
    """The id of a new generation."""
    answer = await origin.post("/v1/generations", json={"model": UNLISTED, "input": {}, **fields})
    return str(answer.json()["id"])


async def cancel(origin: httpx.AsyncClient, generation_id: str) -> httpx.Response:
    """The answer of RunComfy's route."""
    return await origin.post(f"/v1/requests/{generation_id}/cancel")


async def cancel_natively(origin: httpx.AsyncClient, generation_id: str) -> httpx.Response:
    """The answer of the native route."""
    return await origin.post(f"/v1/generations/{generation_id}/cancel")


async def test_a_queued_generation_is_cancelled_at_once(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await create(studio)
    answer = await cancel(studio, generation_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "request_id": generation_id,
        "status": "cancelled",
        "outcome": "cancelled",
    }
    assert await worker.nothing_is_due()


async def test_a_submission_that_was_claimed_and_not_begun_loses_to_a_cancel(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await create(studio)
    claim, generation = await worker.take(Lane.SUBMISSIONS)
    assert (await cancel(studio, generation_id)).json()["outcome"] == "cancelled"
    assert await worker.due.take_generations([claim], lease=worker.lease) == []
    assert generation.status is Status.QUEUED


async def test_a_cancel_is_told_to_the_webhook(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await create(studio, webhook="https://studio.example/hook")
    record = (await cancel_natively(studio, generation_id)).json()
    (delivery,) = record["deliveries"]
    assert delivery["type"] == "generation.cancelled"
    assert not await worker.nothing_is_due()


async def test_the_native_route_answers_the_record(studio: httpx.AsyncClient) -> None:
    generation_id = await create(studio)
    answer = await cancel_natively(studio, generation_id)
    assert answer.status_code == 200
    record = answer.json()
    assert record["id"] == generation_id
    assert record["status"] == "cancelled"
    assert record["cancel"] == {"requested_at": record["finished_at"], "outcome": "cancelled"}
    assert (await studio.get(f"/v1/generations/{generation_id}")).json() == record


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
async def test_what_has_finished_is_not_cancellable(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    generation_id = await create(studio)
    await worker.bring_to(status)
    answer = await cancel(studio, generation_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "request_id": generation_id,
        "status": SHOWN[status],
        "outcome": "not_cancellable",
    }


@pytest.mark.parametrize("status", WAITING)
async def test_runcomfy_may_cancel_what_it_has(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    generation_id = await create(studio)
    await worker.bring_to(status)
    answer, _ = await asyncio.gather(
        cancel(studio, generation_id), worker.answer_cancel("cancelled")
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["outcome"] == "cancelled"


@pytest.mark.parametrize("status", WAITING)
async def test_runcomfy_may_refuse_and_the_answer_says_so(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    generation_id = await create(studio)
    await worker.bring_to(status)
    answer, _ = await asyncio.gather(
        cancel_natively(studio, generation_id), worker.answer_cancel("not_cancellable")
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == status
    assert answer.json()["cancel"]["outcome"] == "not_cancellable"
    assert answer.json()["cancel"]["requested_at"]


async def test_a_cancel_while_submitting_waits_for_the_submission(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await create(studio)
    held = await worker.begin_submission()

    async def finish_and_cancel() -> None:
        await worker.cancel_is_asked_for(generation_id)
        await worker.end_submission(held, Status.IN_QUEUE)
        await worker.answer_cancel("cancelled")

    answer, _ = await asyncio.gather(cancel(studio, generation_id), finish_and_cancel())
    assert answer.json()["outcome"] == "cancelled"


async def test_a_submission_that_was_not_sent_is_cancelled_at_once(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await create(studio)
    held = await worker.begin_submission()

    async def fail_to_send() -> None:
        await worker.cancel_is_asked_for(generation_id)
        await worker.end_submission(held, Status.QUEUED)

    answer, _ = await asyncio.gather(cancel(studio, generation_id), fail_to_send())
    assert answer.json()["outcome"] == "cancelled"
    assert await worker.nothing_is_due()


async def test_without_a_word_in_time_the_cancel_is_only_asked_for(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = await create(studio)
    await worker.bring_to(Status.IN_PROGRESS)
    began = time.monotonic()
    answer, native = await asyncio.gather(
        cancel(studio, generation_id), cancel_natively(studio, generation_id)
    )
    assert 1.9 < time.monotonic() - began < 10
    assert answer.status_code == native.status_code == 202
    assert answer.json() == {
        "request_id": generation_id,
        "status": "in_progress",
        "outcome": "cancellation_requested",
    }
    assert native.json()["cancel"]["outcome"] == "cancellation_requested"
    record = (await studio.get(f"/v1/generations/{generation_id}")).json()
    assert record["cancel"]["requested_at"]
    assert record["cancel"]["outcome"] is None
