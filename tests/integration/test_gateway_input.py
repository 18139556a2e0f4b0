"""Inputs are checked against their model's schema before anything is stored or paid."""

from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.builders import SEEDANCE, UNLISTED
from tests.integration.gateway_process import GatewayProcess

FRAME = "https://playgrounds-storage-public.runcomfy.net/tools/7272/media-files/input-1-1.png"
GOOD: dict[str, Any] = {"prompt": "A gentle breeze", "first_frame_image_url": FRAME}
BAD: dict[str, Any] = {
    "prompt": "A secret prompt",
    "first_frame_image_url": "bucket/cat.png?X-Amz-Signature=0123",
    "duration": 3,
    "resolutoin": "480p",
}
WRONG = [
    ("/duration", "Give one of 4, 5, 6, 7, 8, 9, 10, 11, 12."),
    ("/first_frame_image_url", "Give an http(s) URL or a data: URI."),
    ("/resolutoin", "The model has no such field; did you mean resolution?"),
]
#: Both submit routes, and where in their bodies the input is.
ROUTES = [(f"/v1/models/{SEEDANCE}", "#"), ("/v1/generations", "#/input")]


async def submit(origin: httpx.AsyncClient, path: str, given: dict[str, Any]) -> httpx.Response:
    """Submit an input for Seedance on one of the routes."""
    is_native = path.endswith("/generations")
    return await origin.post(path, json={"model": SEEDANCE, "input": given} if is_native else given)


@pytest.mark.parametrize(("path", "at"), ROUTES)
async def test_all_faults_are_told_at_once_and_nothing_is_stored(
    studio: httpx.AsyncClient, store_redis: Redis, path: str, at: str
) -> None:
    before = sorted(await store_redis.keys())
    answer = await submit(studio, path, BAD)
    assert answer.status_code == 422
    body = answer.json()
    assert body["code"] == "invalid_input"
    assert body["error_code"] == 422001
    assert [(e["pointer"], e["message"]) for e in body["errors"]] == [
        (at + where, said) for where, said in WRONG
    ]
    assert sorted(await store_redis.keys()) == before


@pytest.mark.parametrize(("path", "_at"), ROUTES)
async def test_a_client_that_shows_one_sentence_learns_what_to_do(
    studio: httpx.AsyncClient, path: str, _at: str
) -> None:
    assert (await submit(studio, path, BAD)).json()["detail"] == (
        "The input is not as the model's schema has it: duration: "
        "Give one of 4, 5, 6, 7, 8, 9, 10, 11, 12. And 2 more; see errors."
    )


@pytest.mark.parametrize(("path", "_at"), ROUTES)
async def test_what_was_given_is_neither_told_nor_logged(
    studio: httpx.AsyncClient, gateway: GatewayProcess, path: str, _at: str
) -> None:
    answer = await submit(studio, path, BAD)
    for text in (answer.text, gateway.log):
        assert "secret prompt" not in text
        assert "Signature" not in text


@pytest.mark.parametrize(("path", "at"), ROUTES)
async def test_a_missing_field_is_named_where_it_belongs(
    studio: httpx.AsyncClient, path: str, at: str
) -> None:
    (error,) = (await submit(studio, path, {"prompt": "x"})).json()["errors"]
    assert error["pointer"] == f"{at}/first_frame_image_url"


async def test_names_that_pointers_must_escape(studio: httpx.AsyncClient) -> None:
    (error,) = (await submit(studio, ROUTES[0][0], {**GOOD, "a/b~ü": 1})).json()["errors"]
    assert error["pointer"] == "#/a~1b~0%C3%BC"


@pytest.mark.parametrize(("path", "_at"), ROUTES)
async def test_the_example_of_the_models_page_is_taken(
    studio: httpx.AsyncClient, path: str, _at: str
) -> None:
    body = (await submit(studio, path, GOOD)).json()
    record = (await studio.get(f"/v1/generations/{body.get('id') or body['request_id']}")).json()
    assert record["schema"] == "known"
    assert record["input"] == GOOD


async def test_a_model_without_a_known_schema_passes_and_is_marked(
    studio: httpx.AsyncClient,
) -> None:
    asked = {"model": UNLISTED, "input": {"anything": [1, {"goes": None}]}}
    created = (await studio.post("/v1/generations", json=asked)).json()
    assert created["schema"] == "unknown"
    assert (await studio.get(f"/v1/generations/{created['id']}")).json()["schema"] == "unknown"


async def test_a_refused_input_uses_up_no_idempotency_key(studio: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-1"}
    refused = await studio.post(ROUTES[0][0], json=BAD, headers=headers)
    accepted = await studio.post(ROUTES[0][0], json=GOOD, headers=headers)
    assert (refused.status_code, accepted.status_code) == (422, 200)
    assert "Idempotent-Replayed" not in accepted.headers
