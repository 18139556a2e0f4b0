"""Where attempts go and with which headers, when the default endpoint changes meanwhile."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from generations.endpoint_health import FEWEST_JUDGED
from generations.endpoints import EndpointStore
from generations.lifecycle import Status
from generations.model import Delivery, Generation
from generations.settings import WorkerSettings
from generations.steps import finish
from tests.conftest import RedisServer
from tests.integration.claiming import accept, bring_to, settled, take_delivery
from tests.integration.raw_server import RawServer, responding, serving
from worker.clients import Clients
from worker.delivery import NO_DEFAULT, attempt_once
from worker.turns import addressed

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
            "delivery_schedule": "0.05,0.05,0.05,0.05",
        }
    )
    opened = await Clients.open(settings)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def clients(clients_of_all: Clients, redis_url: str) -> Clients:
    """A worker's clients; there is an origin "studio", and another one."""
    assert redis_url
    await clients_of_all.origins.create_key("studio")
    await clients_of_all.origins.create_key("archive")
    return clients_of_all


@pytest_asyncio.fixture(loop_scope="module")
async def first() -> AsyncIterator[RawServer]:
    """An endpoint."""
    async with serving(OK) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def second() -> AsyncIterator[RawServer]:
    """Another endpoint."""
    async with serving(OK) as server:
        yield server


@pytest.fixture
def endpoints(clients: Clients) -> EndpointStore:
    return EndpointStore(clients.redis)


async def ended(clients: Clients, **fields: object) -> Generation:
    """A generation of "studio" that has ended, and is about to be told."""
    generation = await accept(clients.store, **fields)
    held = await bring_to(clients.due, Status.IN_PROGRESS)
    found = await clients.store.find(generation.id)
    await settled(clients.due, held, finish(found, Status.CANCELLED))
    return generation


async def attempted_next(clients: Clients) -> str:
    taken = await addressed([await take_delivery(clients.due)], clients)
    ((held, delivery),) = await clients.health.enter(taken)
    return await attempt_once(held, delivery, clients)


async def delivery_of(clients: Clients, generation: Generation) -> Delivery:
    found = await clients.store.find(generation.id)
    (delivery,) = await clients.store.find_deliveries(found)
    return delivery


def heads(server: RawServer) -> list[bytes]:
    return [request.partition(b"\r\n\r\n")[0] for request in server.requests]


async def test_an_attempt_goes_to_the_default_of_its_day_with_that_ones_headers(
    clients: Clients, endpoints: EndpointStore, first: RawServer, second: RawServer
) -> None:
    first.behaviour = BROKEN
    await endpoints.set("studio", first.url, headers={"X-Key": "of-first"}, is_default=True)
    generation = await ended(clients)
    assert await attempted_next(clients) == "waiting"
    await endpoints.set("studio", second.url, headers={"X-Key": "of-second"}, is_default=True)
    assert await attempted_next(clients) == "delivered"

    ((to_first,), (to_second,)) = (heads(first), heads(second))
    assert (b"of-first" in to_first, b"of-second" in to_first) == (True, False)
    assert (b"of-first" in to_second, b"of-second" in to_second) == (False, True)
    assert b"webhook-signature: v1," in to_second.lower()
    assert (await delivery_of(clients, generation)).endpoint == second.url


async def test_without_a_default_any_more_nobody_is_told_until_there_is_one_again(
    clients: Clients, endpoints: EndpointStore, first: RawServer
) -> None:
    await endpoints.set("studio", first.url, is_default=True)
    generation = await ended(clients)
    await endpoints.remove("studio", first.url)
    await endpoints.set("archive", first.url, is_default=True)
    assert await attempted_next(clients) == "waiting"
    assert first.requests == []
    (attempt,) = (await delivery_of(clients, generation)).attempts
    assert (attempt.status_code, attempt.error) == (None, NO_DEFAULT)

    await endpoints.set("studio", first.url, is_default=True)
    assert await attempted_next(clients) == "delivered"
    assert len(first.requests) == 1


async def test_a_webhook_that_is_registered_has_its_headers_and_keeps_its_address(
    clients: Clients, endpoints: EndpointStore, first: RawServer, second: RawServer
) -> None:
    await endpoints.set("studio", first.url, headers={"X-Key": "of-first"})
    await endpoints.set("studio", second.url, headers={"X-Key": "of-second"}, is_default=True)
    # What another origin registered for the very same URL is none of this one's.
    await endpoints.set("archive", first.url, headers={"X-Other": "of-archive"})
    await ended(clients, webhook=first.url)
    assert await attempted_next(clients) == "delivered"
    ((head,), none) = (heads(first), heads(second))
    assert b"of-first" in head
    assert b"of-archive" not in head
    assert none == []


async def test_a_default_that_may_not_be_called_is_not(
    clients: Clients, endpoints: EndpointStore
) -> None:
    # As where an operator narrowed what is allowed since: each attempt looks again.
    await endpoints.set("studio", "http://169.254.169.254/latest", is_default=True)
    generation = await ended(clients)
    await attempted_next(clients)
    (attempt,) = (await delivery_of(clients, generation)).attempts
    assert attempt.status_code is None
    assert attempt.error is not None


async def test_a_default_is_left_behind_although_its_server_is_left_alone(
    clients: Clients, endpoints: EndpointStore, first: RawServer, second: RawServer
) -> None:
    first.behaviour = BROKEN
    await endpoints.set("studio", first.url, is_default=True)
    for _ in range(FEWEST_JUDGED):
        await ended(clients, webhook=first.url)
        await ended(clients)
    while not any(one.opened_at for one in await clients.health.states()):
        await attempted_if_it_may(clients)
    tried = len(first.requests)

    await endpoints.set("studio", second.url, is_default=True)
    while len(second.requests) < FEWEST_JUDGED:
        await attempted_if_it_may(clients)
    assert len(first.requests) == tried


async def attempted_if_it_may(clients: Clients) -> None:
    taken = await addressed([await take_delivery(clients.due)], clients)
    for held, delivery in await clients.health.enter(taken):
        await attempt_once(held, delivery, clients)
