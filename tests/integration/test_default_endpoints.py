"""Endpoints on a real server: registered, changed, forgotten, and whom a move is told to."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from generations.connection import key
from generations.due import DueIndex
from generations.endpoints import MOST_ENDPOINTS, EndpointSet, EndpointStore
from generations.lifecycle import Status
from generations.model import Delivery, Endpoint, Generation
from generations.origins import OriginStore
from generations.steps import finish, telling
from generations.store import GenerationStore
from tests.builders import ENDPOINT
from tests.integration.claiming import BEGUN, accept, bring_to, settled, take_delivery

DEFAULT = "https://studio.example/default"
OTHER = "https://studio.example/other"


@pytest_asyncio.fixture
async def endpoints(store_redis: Redis, origins: OriginStore) -> AsyncIterator[EndpointStore]:
    """The endpoints of "studio" and "archive", none so far."""
    await origins.create_key("studio")
    await origins.create_key("archive")
    yield EndpointStore(store_redis)


async def registered(origins: OriginStore, name: str = "studio") -> tuple[Endpoint, ...]:
    origin = await origins.find(name)
    assert origin is not None
    return origin.endpoints


async def ended(store: GenerationStore, due: DueIndex, **fields: object) -> Generation:
    """A generation of "studio" that has just been cancelled by RunComfy."""
    generation = await accept(store, **fields)
    held = await bring_to(due, Status.IN_PROGRESS)
    await settled(due, held, finish(await store.find(generation.id), Status.CANCELLED))
    return await store.find(generation.id)


async def told(store: GenerationStore, generation: Generation) -> list[Delivery]:
    return await store.find_deliveries(generation)


async def test_an_endpoint_is_registered_changed_and_forgotten(
    endpoints: EndpointStore, origins: OriginStore
) -> None:
    headers = {"Authorization": "Bearer s3cret"}
    await endpoints.set("studio", DEFAULT, headers=headers, is_default=True)
    assert await registered(origins) == (Endpoint(DEFAULT, headers, is_default=True),)

    # What is not said stays as it was.
    await endpoints.set("studio", DEFAULT)
    assert await registered(origins) == (Endpoint(DEFAULT, headers, is_default=True),)
    await endpoints.set("studio", DEFAULT, headers={})
    assert await registered(origins) == (Endpoint(DEFAULT, {}, is_default=True),)

    # There is one default at most.
    await endpoints.set("studio", OTHER, is_default=True)
    assert await registered(origins) == (Endpoint(DEFAULT), Endpoint(OTHER, is_default=True))
    await endpoints.set("studio", DEFAULT, is_default=False)
    assert [one.is_default for one in await registered(origins)] == [False, True]
    await endpoints.set("studio", OTHER, is_default=False)
    assert await registered(origins) == (Endpoint(DEFAULT), Endpoint(OTHER))

    await endpoints.set("studio", OTHER, is_default=True)
    assert await endpoints.remove("studio", OTHER)
    assert not await endpoints.remove("studio", OTHER)
    await endpoints.set("studio", OTHER)
    assert await registered(origins) == (Endpoint(DEFAULT), Endpoint(OTHER))


async def test_nobodys_endpoints_and_too_many_are_refused(
    endpoints: EndpointStore, origins: OriginStore
) -> None:
    assert await endpoints.set("nobody", DEFAULT, is_default=True) is EndpointSet.MISSING
    assert await origins.find("nobody") is None
    for number in range(MOST_ENDPOINTS):
        assert await endpoints.set("studio", f"{OTHER}/{number}") is EndpointSet.SET
    assert await endpoints.set("studio", DEFAULT) is EndpointSet.FULL
    assert await endpoints.set("studio", f"{OTHER}/0", is_default=True) is EndpointSet.SET
    assert len(await registered(origins)) == MOST_ENDPOINTS


async def test_the_default_is_told_where_no_webhook_was_given(
    endpoints: EndpointStore, store: GenerationStore, due: DueIndex
) -> None:
    await endpoints.set("studio", DEFAULT, is_default=True)
    (delivery,) = await told(store, await ended(store, due))
    assert (delivery.endpoint, delivery.to_default) == (DEFAULT, True)
    _, taken = await take_delivery(due)
    assert taken == delivery


async def test_a_generations_own_webhook_goes_before_the_default(
    endpoints: EndpointStore, store: GenerationStore, due: DueIndex
) -> None:
    await endpoints.set("studio", DEFAULT, is_default=True)
    (delivery,) = await told(store, await ended(store, due, webhook=ENDPOINT))
    assert (delivery.endpoint, delivery.to_default) == (ENDPOINT, False)


async def test_nobody_is_told_without_either(
    endpoints: EndpointStore, store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    await endpoints.set("studio", OTHER)
    await endpoints.set("archive", DEFAULT, is_default=True)
    generation = await ended(store, due)
    assert await told(store, generation) == []
    # Nothing is owed, so its record is kept no longer than any.
    assert await store_redis.pttl(key(generation.id)) > 0
    assert await store_redis.scard(key("unfinished")) == 0


async def test_a_default_that_came_to_be_meanwhile_is_told(
    endpoints: EndpointStore, store: GenerationStore, due: DueIndex
) -> None:
    generation = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    await endpoints.set("studio", DEFAULT, is_default=True)
    await settled(due, held, finish(await store.find(generation.id), Status.CANCELLED))
    (delivery,) = await told(store, await store.find(generation.id))
    assert delivery.endpoint == DEFAULT


async def test_a_generation_cancelled_before_its_submission_is_told_to_the_default(
    endpoints: EndpointStore, store: GenerationStore
) -> None:
    await endpoints.set("studio", DEFAULT, is_default=True)
    generation = await accept(store)
    await store.cancel(generation)
    (delivery,) = await told(store, await store.find(generation.id))
    assert (delivery.event_type, delivery.to_default) == ("generation.cancelled", True)


@pytest.mark.parametrize("asked", [True, False])
async def test_the_default_is_told_of_the_way_only_where_that_was_asked_for(
    asked: bool, endpoints: EndpointStore, store: GenerationStore, due: DueIndex
) -> None:
    await endpoints.set("studio", DEFAULT, is_default=True)
    generation = await accept(store, webhook_intermediate_status=asked)
    held = await bring_to(due, Status.IN_QUEUE)
    tell = telling(await store.find(generation.id), Status.IN_PROGRESS)
    await settled(due, held, replace(BEGUN, tell=tell))
    deliveries = await told(store, await store.find(generation.id))
    assert [one.event_type for one in deliveries] == ["generation.in_progress"] * asked
    assert all(one.to_default for one in deliveries)
