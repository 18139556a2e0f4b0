"""The events of one generation, in order: a real store, real sockets, attempts made by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from generations.due import Claim
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Delivery, Generation
from generations.settings import WorkerSettings
from generations.steps import Lane, finish, telling
from tests.conftest import RedisServer
from tests.integration.claiming import (
    BEGUN,
    LONG,
    SHORT,
    accept,
    bring_to,
    claim,
    settled,
    take_delivery,
)
from tests.integration.raw_server import Behaviour, RawServer, responding, serving
from tests.waiting import eventually
from worker.clients import Clients
from worker.delivery import attempt_once

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

OK = responding()
BROKEN = responding(status="500 Internal Server Error")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients_of_all(valkey_server: RedisServer) -> AsyncIterator[Clients]:
    settings = WorkerSettings.model_validate(
        {
            "redis_url": valkey_server.url(),
            "runcomfy_api_token": "rc-token",
            "webhook_allow": "127.0.0.1",
            "delivery_schedule": "0.05,0.05,0.05",
        }
    )
    opened = await Clients.open(settings)
    yield opened
    await opened.close()


@pytest.fixture
def clients(clients_of_all: Clients, redis_url: str) -> Clients:
    """A worker's clients; nothing is on record."""
    assert redis_url
    return clients_of_all


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[RawServer]:
    """An endpoint that takes whatever comes."""
    async with serving(OK) as server:
        yield server


def events(receiver: RawServer) -> list[str]:
    """What came, in order."""
    bodies = (request.partition(b"\r\n\r\n")[2] for request in receiver.requests)
    return [json.loads(body)["type"] for body in bodies]


async def begun(clients: Clients, receiver: RawServer) -> tuple[Claim, Generation]:
    """A generation in progress, of which its endpoint is about to be told."""
    await clients.origins.create_key("studio")
    asked = await accept(clients.store, webhook=receiver.url, webhook_intermediate_status=True)
    held = await bring_to(clients.due, Status.IN_QUEUE)
    tell = telling(await clients.store.find(asked.id), Status.IN_PROGRESS)
    held = await settled(clients.due, held, replace(BEGUN, tell=tell))
    return held, await clients.store.find(asked.id)


async def end(clients: Clients, held: Claim, generation: Generation) -> None:
    await settled(clients.due, held, finish(generation, Status.SUCCEEDED, output=["a"]))


async def attempted_next(clients: Clients) -> str:
    """What came of the next delivery that is due."""
    ((held, delivery),) = await clients.health.enter([await take_delivery(clients.due)])
    return await attempt_once(held, delivery, clients)


async def deliveries(clients: Clients, generation: Generation) -> list[Delivery]:
    return await clients.store.find_deliveries(await clients.store.find(generation.id))


def until(gate: asyncio.Event, answer: Behaviour) -> Behaviour:
    """Answer once the gate is open."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await answer(reader, writer)

    return behave


async def something_came(receiver: RawServer) -> None:
    async def look() -> int:
        return len(receiver.requests)

    await eventually(look, "a callback reaches the receiver")


async def test_the_end_waits_for_an_earlier_event_that_is_on_its_way(
    clients: Clients, receiver: RawServer
) -> None:
    gate = asyncio.Event()
    receiver.behaviour = until(gate, OK)
    held, generation = await begun(clients, receiver)
    on_its_way = asyncio.create_task(attempted_next(clients))
    await something_came(receiver)
    await end(clients, held, generation)

    for _ in range(3):
        assert await attempted_next(clients) == "waiting"
    assert events(receiver) == ["generation.in_progress"]

    gate.set()
    assert await on_its_way == "delivered"
    assert await attempted_next(clients) == "delivered"
    assert events(receiver) == ["generation.in_progress", "generation.succeeded"]
    # Waiting for one's turn is no attempt.
    assert [len(one.attempts) for one in await deliveries(clients, generation)] == [1, 1]


async def test_an_intermediate_event_is_tried_again_until_the_next_one_and_no_longer(
    clients: Clients, receiver: RawServer
) -> None:
    receiver.behaviour = BROKEN
    held, generation = await begun(clients, receiver)
    assert await attempted_next(clients) == "waiting"
    assert await attempted_next(clients) == "waiting"
    await end(clients, held, generation)
    receiver.behaviour = OK

    words = {await attempted_next(clients), await attempted_next(clients)}

    assert words == {"superseded", "delivered"}
    assert events(receiver) == ["generation.in_progress"] * 2 + ["generation.succeeded"]
    statuses = [one.status for one in await deliveries(clients, generation)]
    assert statuses == [DeliveryStatus.SUPERSEDED, DeliveryStatus.DELIVERED]


async def test_an_intermediate_event_that_nobody_took_yet_is_dropped_for_the_end(
    clients: Clients, receiver: RawServer
) -> None:
    held, generation = await begun(clients, receiver)
    claimed = await claim(clients.due, Lane.DELIVERIES)
    await end(clients, held, generation)
    assert await attempted_next(clients) == "delivered"

    (late,) = await clients.due.take_deliveries([claimed], lease=LONG)

    assert await attempt_once(*late, clients) == "superseded"
    assert events(receiver) == ["generation.succeeded"]


async def test_the_end_waits_for_no_longer_than_the_lease_of_a_worker_that_died(
    clients: Clients, receiver: RawServer
) -> None:
    held, generation = await begun(clients, receiver)
    claimed = await claim(clients.due, Lane.DELIVERIES, lease=SHORT)
    assert len(await clients.due.take_deliveries([claimed], lease=SHORT)) == 1
    await end(clients, held, generation)

    words = []
    while "delivered" not in words:
        words.append(await attempted_next(clients))

    assert words.count("superseded") == 1
    assert words[-1] == "delivered"
    assert events(receiver) == ["generation.succeeded"]
