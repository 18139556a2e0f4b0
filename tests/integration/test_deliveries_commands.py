"""``darkroom deliveries`` and ``darkroom endpoints test``, over a real server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from generations.deliveries import Deliveries
from generations.due import DueIndex
from generations.indexes import UNFINISHED
from generations.lifecycle import DeliveryStatus
from generations.origins import OriginStore
from generations.steps import Step
from generations.store import GenerationStore
from ops.cli import app
from tests.builders import ENDPOINT, an_attempt
from tests.integration.claiming import settled, take_delivery, told_of_success
from tests.integration.test_redelivery import KEEP, ended

Darkroom = Callable[..., Awaitable[str]]


@pytest.fixture
def darkroom(redis_url: str) -> Darkroom:
    """Runs ``darkroom``, which has an event loop of its own, and returns all that it says."""
    settings = {
        "DARKROOM_REDIS_URL": redis_url,
        "DARKROOM_WEBHOOK_ALLOW": "10.1.0.0/16",
        "DARKROOM_ENDPOINT_TEST_WAIT": "0",
    }

    async def run(*arguments: str, code: int = 0) -> str:
        runner = CliRunner()
        ended = await asyncio.to_thread(runner.invoke, app, arguments, env=settings)
        assert ended.exit_code == code, ended.output
        return ended.output

    return run


async def as_json(said: Awaitable[str]) -> Any:
    return json.loads(await said)


async def ids(darkroom: Darkroom, *arguments: str) -> list[str]:
    listed = await as_json(darkroom("deliveries", "list", "--json", *arguments))
    return [one["id"] for one in listed["deliveries"]]


async def test_deliveries_are_listed_by_all_that_is_said_of_them(
    store: GenerationStore, due: DueIndex, darkroom: Darkroom
) -> None:
    assert await darkroom("deliveries", "list") == "No deliveries.\n"
    _, given_up = await ended(store, due, attempts=2)
    generation, taken = await ended(store, due, DeliveryStatus.DELIVERED)

    assert await ids(darkroom) == [taken.id, given_up.id]
    assert await ids(darkroom, "--limit", "1") == [taken.id]
    assert await ids(darkroom, "--status", "exhausted") == [given_up.id]
    assert await ids(darkroom, "--generation", generation.id) == [taken.id]
    assert await ids(darkroom, "--origin", "archive") == []
    assert await ids(darkroom, "--endpoint", ENDPOINT[:-1]) == [taken.id, given_up.id]
    assert await ids(darkroom, "--before", "2020-01-01") == []
    assert await ids(darkroom, "--after", "2020-01-01T00:00:00Z") == [taken.id, given_up.id]
    table = (await darkroom("deliveries", "list")).splitlines()
    assert [line.split()[:3] for line in table[1:]] == [
        [taken.id, "delivered", "generation.succeeded"],
        [given_up.id, "exhausted", "generation.succeeded"],
    ]
    said = await darkroom("deliveries", "list", "--after", "yesterday", code=2)
    assert "2026-11-22T22:27:39Z" in said


async def test_every_attempt_is_shown_and_no_answer_steers_the_terminal(
    store: GenerationStore, due: DueIndex, darkroom: Darkroom
) -> None:
    await told_of_success(store, due)
    held, delivery = await take_delivery(due)
    attempt = replace(
        an_attempt(status_code=500),
        address="203.0.113.7",
        response_headers={"server": "nginx\x1b[2J"},
        response_body="Ouch\x1b[2J [red]no[/red]",
    )
    await settled(due, held, Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=attempt))
    said = await darkroom("deliveries", "show", delivery.id)
    for shown in (delivery.id, delivery.event_id, "attempt 1", "500", "203.0.113.7", "nginx"):
        assert shown in said
    assert "[red]no[/red]" in said
    assert "\x1b" not in said
    shown_as_json = await as_json(darkroom("deliveries", "show", delivery.id, "--json"))
    assert shown_as_json["attempts"][0]["response_body"] == attempt.response_body
    assert "Traceback" not in await darkroom("deliveries", "show", "dlv_none", code=1)


async def test_those_named_are_told_again_and_a_mistyped_id_leaves_nothing_half_done(
    store: GenerationStore, due: DueIndex, darkroom: Darkroom
) -> None:
    _, delivery = await ended(store, due)
    redeliver = ("deliveries", "redeliver")
    await darkroom(*redeliver, delivery.id, "dlv_none", code=1)
    assert await ids(darkroom, "--status", "exhausted") == [delivery.id]
    assert await darkroom(*redeliver, delivery.id) == "1 on the way again.\n"
    _, again = await take_delivery(due)
    assert (again.id, again.event_id) == (delivery.id, delivery.event_id)


async def test_all_that_match_are_told_again_the_exhausted_unless_told_else(
    store: GenerationStore, due: DueIndex, darkroom: Darkroom
) -> None:
    given_up = {(await ended(store, due))[1].id for _ in range(2)}
    _, taken = await ended(store, due, DeliveryStatus.DELIVERED)
    redeliver = ("deliveries", "redeliver")
    await darkroom(*redeliver, code=2)
    for meant in (["--all"], ["--status", "exhausted"]):
        await darkroom(*redeliver, taken.id, *meant, code=2)
    assert await darkroom(*redeliver, "--endpoint", "https://nobody.example") == "None matched.\n"
    told = await as_json(darkroom(*redeliver, "--all", "--json"))
    assert (told["count"], set(told["ids"])) == (2, given_up)
    more = await as_json(darkroom(*redeliver, "--status", "delivered", "--json"))
    assert more == {"count": 1, "ids": [taken.id]}


async def test_an_endpoint_is_tried_for_an_origin_that_there_is(
    store: GenerationStore, origins: OriginStore, store_redis: Redis, darkroom: Darkroom
) -> None:
    url = "http://10.1.2.3/callbacks"
    said = await darkroom("endpoints", "test", "studio", url, code=1)
    assert "no origin studio" in said
    assert await store_redis.smembers(UNFINISHED) == set()

    await origins.create_key("studio")
    assert "Traceback" not in await darkroom(
        "endpoints", "test", "studio", "http://127.0.0.1/", code=1
    )
    said = await darkroom("endpoints", "test", "studio", url, code=1)
    assert "No worker has attempted it yet" in said
    (delivery_id,) = await store_redis.smembers(UNFINISHED)
    found = await Deliveries(store_redis, store, keep=KEEP).find(str(delivery_id))
    assert (found.endpoint, found.is_test) == (url, True)
