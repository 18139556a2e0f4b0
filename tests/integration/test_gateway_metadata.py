"""Metadata over real HTTP: given on either face, told back everywhere, refused clearly."""

from typing import Any

import httpx
import pytest

from generations.lifecycle import Status
from tests.builders import UNLISTED
from tests.integration.gateway_process import GatewayProcess
from tests.integration.played_worker import PlayedWorker

SUBMIT = f"/v1/models/{UNLISTED}"
CREATE = "/v1/generations"
INPUT = {"prompt": "A gentle breeze"}
NOTED = {"order": "4711", "größe": "groß & klein]", "empty": ""}


async def submit(origin: httpx.AsyncClient, noted: dict[str, str]) -> str:
    """Submit on RunComfy's route; the id."""
    query = {f"metadata[{name}]": text for name, text in noted.items()}
    answer = await origin.post(SUBMIT, params=query, json=INPUT)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"])


async def create(origin: httpx.AsyncClient, noted: Any, **headers: str) -> httpx.Response:
    asked = {"model": UNLISTED, "input": INPUT, "metadata": noted}
    return await origin.post(CREATE, json=asked, headers=headers)


async def test_both_faces_take_the_same_metadata(studio: httpx.AsyncClient) -> None:
    record = (await create(studio, NOTED)).json()
    request_id = await submit(studio, NOTED)
    assert record["metadata"] == NOTED
    for generation_id in (record["id"], request_id):
        found = (await studio.get(f"/v1/generations/{generation_id}")).json()
        assert found["metadata"] == NOTED
        result = (await studio.get(f"/v1/requests/{generation_id}/result")).json()
        assert result["metadata"] == NOTED
    listed = (await studio.get(CREATE)).json()["generations"]
    assert [one["metadata"] for one in listed] == [NOTED, NOTED]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.IN_PROGRESS, Status.SUCCEEDED])
async def test_who_gives_none_sees_runcomfys_answers_and_no_more(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    request_id = await submit(studio, {})
    if status is not Status.QUEUED:
        await worker.bring_to(status)
    for what in ("status", "result"):
        assert "metadata" not in (await studio.get(f"/v1/requests/{request_id}/{what}")).json()


async def test_other_metadata_is_another_request(studio: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    assert (await create(studio, {"a": "1"}, **key)).status_code == 201
    again = await create(studio, {"a": "1"}, **key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json()["metadata"] == {"a": "1"}
    for other in ({}, {"a": "2"}, {"a": "1", "b": "1"}):
        answer = await create(studio, other, **key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")


@pytest.mark.parametrize(
    ("noted", "pointer"),
    [
        ([], "#/metadata"),
        ("order=4711", "#/metadata"),
        (None, "#/metadata"),
        ({str(n): "x" for n in range(17)}, "#/metadata"),
        ({"": "x"}, "#/metadata/"),
        ({"k" * 65: "x"}, f"#/metadata/{'k' * 65}"),
        ({"a/b~c": "v" * 513}, "#/metadata/a~1b~0c"),
        ({"[key]": 1}, "#/metadata/%5Bkey%5D"),
        ({"n": 4711}, "#/metadata/n"),
        ({"n": 1.5}, "#/metadata/n"),
        ({"n": True}, "#/metadata/n"),
        ({"n": None}, "#/metadata/n"),
        ({"n": {"deep": "x"}}, "#/metadata/n"),
    ],
)
async def test_metadata_that_cannot_be_noted_is_refused(
    studio: httpx.AsyncClient, noted: Any, pointer: str
) -> None:
    answer = await create(studio, noted)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await studio.get(CREATE)).json()["generations"] == []


async def test_every_fault_of_metadata_is_named_at_once(studio: httpx.AsyncClient) -> None:
    errors = (await create(studio, {"": "x", "n": 1, "v": "v" * 513})).json()["errors"]
    assert {e["pointer"] for e in errors} == {"#/metadata/", "#/metadata/n", "#/metadata/v"}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("metadata=x", "?metadata"),
        ("metadata%5Ba%5D=1&metadata%5Ba%5D=2", "?metadata[a]"),
        ("metadata[a]=" + "v" * 513, "?metadata[a]"),
        ("metadata[a]=%00", "?metadata[a]"),
    ],
)
async def test_metadata_in_a_query_that_cannot_be_noted_is_refused(
    studio: httpx.AsyncClient, query: str, pointer: str
) -> None:
    answer = await studio.post(f"{SUBMIT}?{query}", json=INPUT)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_metadata_is_never_logged(studio: httpx.AsyncClient, gateway: GatewayProcess) -> None:
    await create(studio, {"secret-name": "secret-value"})
    await submit(studio, {"secret-name": "secret-value"})
    await create(studio, {"secret-name": 5})
    assert "secret-" not in gateway.log
