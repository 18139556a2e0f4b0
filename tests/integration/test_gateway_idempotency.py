"""Idempotency keys on both submit routes: the same request twice is one generation."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.builders import UNLISTED

SUBMIT = f"/v1/models/{UNLISTED}"
NATIVE = "/v1/generations"
INPUT = {"prompt": "A gentle breeze"}
BODIES: dict[str, dict[str, Any]] = {SUBMIT: INPUT, NATIVE: {"model": UNLISTED, "input": INPUT}}

routes = pytest.mark.parametrize("route", [SUBMIT, NATIVE])


def id_of(answer: httpx.Response) -> str:
    body = answer.json()
    return str(body.get("request_id") or body["id"])


async def how_many(origin: httpx.AsyncClient) -> int:
    return len((await origin.get(NATIVE, params={"limit": 100})).json()["generations"])


@routes
async def test_the_same_key_and_request_give_the_first_answer_again(
    studio: httpx.AsyncClient, route: str
) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await studio.post(route, json=BODIES[route], headers=headers)
    second = await studio.post(route, json=BODIES[route], headers=headers)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.status_code == first.status_code
    assert second.json() == first.json()
    assert await how_many(studio) == 1


@routes
async def test_the_same_key_for_another_request_is_refused(
    studio: httpx.AsyncClient, route: str
) -> None:
    headers = {"Idempotency-Key": "one"}
    await studio.post(route, json=BODIES[route], headers=headers)
    other = {**BODIES[route], "webhook": "https://studio.example/other"}
    answer = await studio.post(route, json=other, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_conflict"
    assert await how_many(studio) == 1


@routes
async def test_fifty_identical_posts_at_once_create_one_generation(
    studio: httpx.AsyncClient, route: str
) -> None:
    headers = {"Idempotency-Key": "one"}
    posts = (studio.post(route, json=BODIES[route], headers=headers) for _ in range(50))
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({id_of(answer) for answer in answers}) == 1
    assert await how_many(studio) == 1


async def test_keys_of_two_origins_never_meet(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient
) -> None:
    headers = {"Idempotency-Key": "one"}
    ours = await studio.post(SUBMIT, json=INPUT, headers=headers)
    theirs = await archive.post(SUBMIT, json=INPUT, headers=headers)
    assert id_of(ours) != id_of(theirs)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_empty_or_too_long_is_refused(
    studio: httpx.AsyncClient, key: str
) -> None:
    answer = await studio.post(SUBMIT, json=INPUT, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert await how_many(studio) == 0
