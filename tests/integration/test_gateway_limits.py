"""Limits as an origin meets them over HTTP: 429, when to come back, and what is left."""

import asyncio
from typing import Any

import httpx
import pytest

from generations.limits import Limits
from generations.origins import OriginStore
from tests.builders import UNLISTED

SUBMIT = f"/v1/models/{UNLISTED}"
NATIVE = "/v1/generations"
INPUT = {"prompt": "A gentle breeze"}
BODIES: dict[str, dict[str, Any]] = {SUBMIT: INPUT, NATIVE: {"model": UNLISTED, "input": INPUT}}

routes = pytest.mark.parametrize("route", [SUBMIT, NATIVE])


@routes
async def test_over_a_rate_it_is_429_and_says_when_to_come_back(
    route: str, studio: httpx.AsyncClient, origins: OriginStore
) -> None:
    await origins.limit("studio", Limits(accepts_per_second=0.01))
    first = await studio.post(route, json=BODIES[route])
    assert first.is_success
    assert first.headers["RateLimit-Policy"] == '"accepts";q=1;w=100'
    assert first.headers["RateLimit"].startswith('"accepts";r=0;t=')
    second = await studio.post(route, json=BODIES[route])
    assert second.status_code == 429
    assert second.headers["Content-Type"] == "application/problem+json"
    assert second.json()["code"] == "over_limit"
    wait = int(second.headers["Retry-After"])
    assert 0 < wait <= 100
    assert second.headers["RateLimit"] == f'"accepts";r=0;t={wait}'
    assert second.headers["RateLimit-Policy"] == '"accepts";q=1;w=100'


@routes
async def test_over_the_unfinished_it_is_429_until_one_ends(
    route: str, studio: httpx.AsyncClient, origins: OriginStore
) -> None:
    await origins.limit("studio", Limits(max_unfinished=2))
    first, second, third = [await studio.post(route, json=BODIES[route]) for _ in range(3)]
    assert first.headers["RateLimit"] == '"unfinished";r=1'
    assert second.headers["RateLimit"] == '"unfinished";r=0'
    assert third.status_code == 429
    assert third.headers["RateLimit-Policy"] == '"unfinished";q=2'
    assert int(third.headers["Retry-After"]) > 0
    made = first.json()
    await studio.post(f"/v1/generations/{made.get('request_id') or made['id']}/cancel")
    assert (await studio.post(route, json=BODIES[route])).is_success


@routes
async def test_fifty_posts_at_once_are_accepted_as_often_as_may_be(
    route: str, studio: httpx.AsyncClient, origins: OriginStore
) -> None:
    await origins.limit("studio", Limits(max_unfinished=7))
    answers = await asyncio.gather(*(studio.post(route, json=BODIES[route]) for _ in range(50)))
    assert sum(answer.is_success for answer in answers) == 7
    assert {answer.status_code for answer in answers if not answer.is_success} == {429}


@routes
async def test_a_replay_is_answered_however_little_is_left(
    route: str, studio: httpx.AsyncClient, origins: OriginStore
) -> None:
    await origins.limit("studio", Limits(accepts_per_second=0.01, max_unfinished=1))
    headers = {"Idempotency-Key": "one"}
    first = await studio.post(route, json=BODIES[route], headers=headers)
    assert (await studio.post(route, json=BODIES[route])).status_code == 429
    again = await studio.post(route, json=BODIES[route], headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


async def test_an_origin_without_limits_is_told_of_none(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient, origins: OriginStore
) -> None:
    await origins.limit("archive", Limits(max_unfinished=1))
    answer = await studio.post(SUBMIT, json=INPUT)
    assert not any(name.startswith("ratelimit") for name in answer.headers)
    assert "RateLimit" in (await archive.post(SUBMIT, json=INPUT)).headers


async def test_reading_is_not_limited(studio: httpx.AsyncClient, origins: OriginStore) -> None:
    await origins.limit("studio", Limits(accepts_per_second=0.01))
    for _ in range(5):
        assert (await studio.get(NATIVE)).status_code == 200


async def test_each_create_of_a_batch_counts(
    studio: httpx.AsyncClient, origins: OriginStore
) -> None:
    await origins.limit("studio", Limits(max_unfinished=3))
    batch = {"generations": [BODIES[NATIVE]] * 5}
    answer = (await studio.post("/v1/generations/batch", json=batch)).json()
    assert [result["status"] for result in answer["results"]] == [201] * 3 + [429] * 2
    assert answer["results"][4]["problem"]["code"] == "over_limit"
