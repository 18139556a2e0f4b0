"""The native routes, over real HTTP and a real store."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from generations.lifecycle import DeliveryStatus, Status
from generations.model import Attempt
from generations.steps import Lane, Step
from tests.builders import UNLISTED
from tests.integration.gateway_process import GatewayProcess
from tests.integration.played_worker import LEASE, OUTPUT, PlayedWorker

ENDPOINT = "https://studio.example/hook"


async def create(origin: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """The record of a new generation."""
    asked = {"model": UNLISTED, "input": {"prompt": "A gentle breeze"}, **fields}
    answer = await origin.post("/v1/generations", json=asked)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def fetch(origin: httpx.AsyncClient, generation_id: str) -> dict[str, Any]:
    """The record as it is now."""
    answer = await origin.get(f"/v1/generations/{generation_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_new_generation_is_answered_with_its_whole_record(
    studio: httpx.AsyncClient,
) -> None:
    record = await create(studio, webhook=ENDPOINT, webhook_intermediate_status=True)
    assert record == {
        "id": record["id"],
        "model": UNLISTED,
        "input": {"prompt": "A gentle breeze"},
        "schema": "unknown",
        "status": "queued",
        "created_at": record["created_at"],
        "deadline": record["deadline"],
        "finished_at": None,
        "estimated_finish_at": None,
        "timeline": [{"sequence": 1, "status": "queued", "at": record["created_at"]}],
        "priority": 0,
        "polls": 0,
        "submissions": 0,
        "possible_duplicate_charge": False,
        "queue_position": 1,
        "output": None,
        "error": None,
        "cost": None,
        "metadata": {},
        "webhook": ENDPOINT,
        "webhook_intermediate_status": True,
        "cancel": None,
        "runcomfy_request_id": None,
        "deliveries": [],
    }
    waits = datetime.fromisoformat(record["deadline"]) - datetime.fromisoformat(
        record["created_at"]
    )
    assert waits.total_seconds() == 24 * 3600
    assert await fetch(studio, record["id"]) == record


async def test_the_location_leads_to_the_record(
    studio: httpx.AsyncClient, gateway: GatewayProcess
) -> None:
    answer = await studio.post("/v1/generations", json={"model": UNLISTED, "input": {}})
    location = answer.headers["Location"]
    assert location == f"{gateway.url}/v1/generations/{answer.json()['id']}"
    assert (await studio.get(location)).json() == answer.json()


@pytest.mark.parametrize("status", list(Status))
async def test_every_status_is_shown_as_it_is(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    generation_id = (await create(studio))["id"]
    if status is not Status.QUEUED:
        await worker.bring_to(status)
    record = await fetch(studio, generation_id)
    assert record["status"] == status
    assert record["timeline"][-1]["status"] == status
    instants = [moment["at"] for moment in record["timeline"]]
    assert instants == sorted(instants)


async def test_a_finished_generation_has_everything_that_became_of_it(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = (await create(studio))["id"]
    await worker.bring_to(Status.SUCCEEDED)
    record = await fetch(studio, generation_id)
    assert record["output"] == OUTPUT
    assert record["cost"] == 2.85
    assert record["submissions"] == 1
    assert record["polls"] == 1
    assert record["runcomfy_request_id"] == "rc-1"
    assert record["queue_position"] is None
    assert record["finished_at"] == record["timeline"][-1]["at"]


async def test_deliveries_are_shown_with_their_attempts(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    generation_id = (await create(studio, webhook=ENDPOINT))["id"]
    await worker.bring_to(Status.SUCCEEDED)
    await attempt_delivery(worker)
    (delivery,) = (await fetch(studio, generation_id))["deliveries"]
    assert delivery == {
        "id": delivery["id"],
        "generation_id": generation_id,
        "created_at": delivery["created_at"],
        "redelivered_at": None,
        "event_id": delivery["event_id"],
        "type": "generation.succeeded",
        "endpoint": ENDPOINT,
        "status": "delivered",
        "set_aside": False,
        "attempts": [
            {
                "number": 1,
                "at": "2026-11-22T12:00:00.000Z",
                "duration_ms": 12,
                "status_code": 200,
                "error": "odd\u2028words",
                "address": "203.0.113.7",
                "dials": 1,
                "response_headers": {"content-type": "text/plain"},
                "response_body": "ok\u2028",
            }
        ],
    }
    assert delivery["id"].startswith("dlv_")
    assert delivery["event_id"].startswith("evt_")


async def attempt_delivery(worker: PlayedWorker) -> None:
    """Deliver what is due, on paper."""
    (claim,) = await worker.due.claim({Lane.DELIVERIES: 1}, lease=LEASE)
    ((mine, _),) = await worker.due.take_deliveries([claim], lease=LEASE)
    attempt = Attempt(
        number=1,
        at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        duration_ms=12,
        status_code=200,
        error="odd\u2028words",
        address="203.0.113.7",
        response_headers={"content-type": "text/plain"},
        response_body="ok\u2028",
    )
    step = Step(to=DeliveryStatus.DELIVERED, due=None, attempt=attempt)
    assert await worker.due.settle(mine, step)


async def test_both_faces_show_the_same_generation(studio: httpx.AsyncClient) -> None:
    accepted = (await studio.post(f"/v1/models/{UNLISTED}", json={"prompt": "x"})).json()
    record = await fetch(studio, accepted["request_id"])
    assert record["model"] == UNLISTED
    assert record["input"] == {"prompt": "x"}


async def test_the_list_has_the_newest_first(studio: httpx.AsyncClient) -> None:
    made = [(await create(studio))["id"] for _ in range(3)]
    listed = (await studio.get("/v1/generations")).json()["generations"]
    assert [record["id"] for record in listed] == made[::-1]
    limited = (await studio.get("/v1/generations", params={"limit": 2})).json()["generations"]
    assert limited == listed[:2]


async def test_an_empty_list_is_a_list(studio: httpx.AsyncClient) -> None:
    assert (await studio.get("/v1/generations")).json() == {"generations": [], "next_cursor": None}


async def test_origins_see_only_their_own(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient
) -> None:
    mine = (await create(studio))["id"]
    theirs = (await create(archive))["id"]
    for origin, own in ((studio, mine), (archive, theirs)):
        listed = (await origin.get("/v1/generations")).json()["generations"]
        assert [record["id"] for record in listed] == [own]
        assert (await origin.get(f"/v1/generations/{own}")).status_code == 200


async def test_a_foreign_id_is_answered_like_one_that_does_not_exist(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient
) -> None:
    foreign = (await create(studio))["id"]
    missing = foreign[:-1] + ("0" if foreign[-1] != "0" else "1")
    for method, path in (
        ("GET", "/v1/generations/{}"),
        ("POST", "/v1/generations/{}/cancel"),
        ("GET", "/v1/requests/{}/status"),
        ("GET", "/v1/requests/{}/result"),
        ("POST", "/v1/requests/{}/cancel"),
    ):
        answers = [await archive.request(method, path.format(i)) for i in (foreign, missing)]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].content == answers[1].content
    assert (await fetch(studio, foreign))["status"] == "queued"
