"""The attempt log and redelivery over real HTTP: who sees what, and what is told again."""

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from generations.due import DueIndex
from generations.ids import DELIVERY, new_id
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Delivery
from generations.steps import Lane, Step
from tests.builders import ENDPOINT, UNLISTED, an_attempt
from tests.integration.claiming import take_delivery
from tests.integration.played_worker import LEASE, PlayedWorker
from tests.waiting import eventually

REDELIVER = "/v1/deliveries/redeliver"
TEST = "/v1/endpoints/test"


async def told(
    origin: httpx.AsyncClient,
    worker: PlayedWorker,
    due: DueIndex,
    to: DeliveryStatus = DeliveryStatus.EXHAUSTED,
    **fields: Any,
) -> tuple[str, str]:
    """The ids of a generation that succeeded and of its delivery, which ended."""
    asked = {"model": UNLISTED, "input": {}, "webhook": ENDPOINT, **fields}
    created = await origin.post("/v1/generations", json=asked)
    assert created.status_code == 201, created.text
    await worker.bring_to(Status.SUCCEEDED)
    return str(created.json()["id"]), (await end(due, to)).id


async def end(due: DueIndex, to: DeliveryStatus) -> Delivery:
    held, delivery = await take_delivery(due)
    status_code = 200 if to is DeliveryStatus.DELIVERED else 500
    last = an_attempt(
        number=len(delivery.attempts) + 1, status_code=status_code, response_body="Ouch"
    )
    assert await due.settle(held, Step(due=None, to=to, attempt=last))
    return delivery


async def get(origin: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await origin.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def redeliver_all(origin: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await origin.post(REDELIVER, json=asked)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_the_log_is_the_same_wherever_it_is_read(
    studio: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    generation_id, delivery_id = await told(studio, worker, due)
    path = f"/v1/generations/{generation_id}"
    record = await get(studio, path)
    (delivery,) = record["deliveries"]
    assert (delivery["id"], delivery["status"]) == (delivery_id, "exhausted")
    assert delivery["attempts"][0]["response_body"] == "Ouch"
    assert (await get(studio, f"{path}/deliveries"))["deliveries"] == [delivery]
    assert await get(studio, f"{path}/deliveries/{delivery_id}") == delivery
    assert await get(studio, f"/v1/deliveries/{delivery_id}") == delivery
    assert (await get(studio, "/v1/deliveries"))["deliveries"] == [delivery]
    assert (await get(studio, "/v1/deliveries", status="exhausted"))["deliveries"] == [delivery]
    assert (await get(studio, "/v1/deliveries", status="delivered"))["deliveries"] == []


async def test_a_redelivery_is_pending_with_its_log_and_its_event_id(
    studio: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    generation_id, delivery_id = await told(studio, worker, due)
    path = f"/v1/generations/{generation_id}/deliveries/{delivery_id}"
    before = await get(studio, path)
    answer = await studio.post(f"{path}/redeliver")
    assert answer.status_code == 202
    after = answer.json()
    assert after["redelivered_at"] is not None
    assert after == before | {"status": "pending", "redelivered_at": after["redelivered_at"]}
    assert (await end(due, DeliveryStatus.DELIVERED)).id == delivery_id
    assert [one["number"] for one in (await get(studio, path))["attempts"]] == [1, 2]


async def test_what_a_later_event_followed_is_a_409(
    studio: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    generation_id, delivery_id = await told(studio, worker, due, DeliveryStatus.SUPERSEDED)
    path = f"/v1/generations/{generation_id}/deliveries/{delivery_id}/redeliver"
    answer = await studio.post(path)
    assert (answer.status_code, answer.json()["code"]) == (409, "delivery_superseded")
    assert (await redeliver_all(studio, all=True, status=["superseded"]))["count"] == 0


async def test_another_origins_delivery_is_answered_as_one_that_never_was(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    generation_id, delivery_id = await told(studio, worker, due)
    own = await archive.post("/v1/generations", json={"model": UNLISTED, "input": {}})
    never = await archive.get(f"/v1/deliveries/{new_id(DELIVERY)}")
    assert (never.status_code, never.json()["code"]) == (404, "delivery_not_found")
    theirs = f"/v1/generations/{own.json()['id']}/deliveries/{delivery_id}"
    for answer in (
        await archive.get(f"/v1/deliveries/{delivery_id}"),
        await archive.get(theirs),
        await archive.post(f"{theirs}/redeliver"),
    ):
        assert (answer.status_code, answer.content) == (404, never.content)
    assert (await get(archive, "/v1/deliveries"))["deliveries"] == []
    assert (await redeliver_all(archive, all=True))["ids"] == []
    found = await get(studio, f"/v1/generations/{generation_id}/deliveries/{delivery_id}")
    assert found["status"] == "exhausted"


async def test_what_is_exhausted_is_told_again_unless_something_else_is_meant(
    studio: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    _, exhausted = await told(studio, worker, due, metadata={"order": "1"})
    _, delivered = await told(studio, worker, due, DeliveryStatus.DELIVERED)
    assert (await redeliver_all(studio, metadata={"order": "2"}))["count"] == 0
    assert (await redeliver_all(studio, endpoint="https://elsewhere.example"))["count"] == 0
    found = await redeliver_all(studio, endpoint=ENDPOINT, metadata={"order": "1"})
    assert found == {"count": 1, "ids": [exhausted], "next_cursor": None}
    assert (await redeliver_all(studio, all=True))["count"] == 0
    found = await redeliver_all(studio, all=True, status=["delivered"])
    assert found["ids"] == [delivered]
    since = (await get(studio, f"/v1/deliveries/{exhausted}"))["created_at"]
    hurried = await redeliver_all(studio, created_after=since, status=["pending"])
    assert hurried["ids"] == [delivered]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": ["exhausted"]},
        {"status": []},
        {"status": ["lost"], "all": True},
        {"created_after": "yesterday"},
        {"alll": True},
    ],
)
async def test_an_unclear_wish_changes_nothing(
    body: dict[str, Any], studio: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    _, delivery_id = await told(studio, worker, due)
    answer = await studio.post(REDELIVER, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await get(studio, f"/v1/deliveries/{delivery_id}"))["status"] == "exhausted"


async def test_a_cursor_of_generations_is_none_of_deliveries(
    studio: httpx.AsyncClient, worker: PlayedWorker, due: DueIndex
) -> None:
    for _ in range(2):
        await told(studio, worker, due)
    foreign = (await get(studio, "/v1/generations", limit=1))["next_cursor"]
    answer = await studio.get("/v1/deliveries", params={"cursor": foreign})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
    first = await get(studio, "/v1/deliveries", limit=1)
    second = await get(studio, "/v1/deliveries", limit=1, cursor=first["next_cursor"])
    assert second["deliveries"][0]["id"] < first["deliveries"][0]["id"]


# Tests of endpoints


async def test_an_endpoint_is_tried_and_the_answer_says_how_it_went(
    studio: httpx.AsyncClient, due: DueIndex
) -> None:
    asking = asyncio.create_task(studio.post(TEST, json={"webhook": ENDPOINT}))
    delivery = await end(due, DeliveryStatus.DELIVERED)
    answer = await asking
    found = await get(studio, f"/v1/deliveries/{delivery.id}")
    assert (found["type"], found["generation_id"]) == ("endpoint.test", None)
    assert (found["status"], found["attempts"][0]["status_code"]) == ("delivered", 200)
    assert answer.status_code in {200, 202}
    assert answer.json()["id"] == delivery.id


async def test_without_a_worker_a_test_is_pending(studio: httpx.AsyncClient, due: DueIndex) -> None:
    answer = await studio.post(TEST, json={"webhook": ENDPOINT})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    await eventually(lambda: due.claim({Lane.DELIVERIES: 1}, lease=LEASE), "it is due")


@pytest.mark.parametrize(
    ("webhook", "code"),
    [
        ("http://127.0.0.1/", "address_not_allowed"),
        ("http://0x7f000001/", "address_not_allowed"),
        ("ftp://a.example/", "invalid_webhook"),
        ("https://u:p@a.example/", "invalid_webhook"),
    ],
)
async def test_nobody_is_tried_who_may_not_be_called(
    webhook: str, code: str, studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    answer = await studio.post(TEST, json={"webhook": webhook})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert (await get(studio, "/v1/deliveries"))["deliveries"] == []
    assert await store_redis.zcard("darkroom:due:deliveries") == 0
