"""Records on a real server: accepted once, found by their origin."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from generations.due import DueIndex, due_key
from generations.errors import GenerationNotFound, IdempotencyConflict
from generations.ids import DELIVERY, GENERATION, new_id
from generations.lifecycle import Status
from generations.listing import index_of
from generations.model import Generation
from generations.origins import OriginStore
from generations.steps import Lane
from generations.store import GenerationStore
from tests.builders import ENDPOINT, a_new_generation
from tests.integration.claiming import (
    LONG,
    accept,
    accept_many,
    bring_to,
    claim,
    now_ms,
)


async def everything(redis: Redis) -> dict[str, object]:
    """The whole database."""
    found: dict[str, object] = {}
    async for name in redis.scan_iter():
        kind = await redis.type(name)
        if kind == "hash":
            found[name] = await redis.hgetall(name)
        elif kind == "zset":
            found[name] = await redis.zrange(name, 0, -1, withscores=True)
        else:
            found[name] = await redis.smembers(name)
    return found


async def test_what_is_accepted_is_found(store: GenerationStore, store_redis: Redis) -> None:
    before = await now_ms(store_redis)
    new = a_new_generation(webhook=ENDPOINT, webhook_intermediate_status=True)
    accepted = await store.accept(new)
    assert await store.find(new.id) == accepted
    assert await store.find(new.id, origin="studio") == accepted
    assert accepted.status is Status.QUEUED
    assert (accepted.input, accepted.webhook) == (new.input, ENDPOINT)
    assert before <= accepted.created_at.timestamp() * 1000 <= await now_ms(store_redis)
    assert accepted.deadline - accepted.created_at == timedelta(hours=24)


async def test_accepting_again_changes_nothing(store: GenerationStore, store_redis: Redis) -> None:
    new = a_new_generation()
    accepted = await store.accept(new)
    before = await everything(store_redis)
    assert await asyncio.gather(*(store.accept(new) for _ in range(5))) == [accepted] * 5
    assert await everything(store_redis) == before


async def test_accepting_again_does_not_bring_back_what_went_on(
    store: GenerationStore, due: DueIndex
) -> None:
    new = a_new_generation()
    await store.accept(new)
    await bring_to(due, Status.SUCCEEDED)
    await store.accept(new)
    assert (await store.find(new.id)).status is Status.SUCCEEDED
    assert await due.claim(dict.fromkeys(Lane, 9), lease=LONG) == []


async def test_an_idempotency_key_makes_many_creates_one(
    store: GenerationStore, store_redis: Redis
) -> None:
    news = [a_new_generation() for _ in range(6)]
    accepted = await asyncio.gather(*(store.accept(new, idempotency_key="k-1") for new in news))
    assert len({generation.id for generation in accepted}) == 1
    assert await store_redis.zcard(index_of(None)) == 1


async def test_an_idempotency_key_is_for_one_request_of_one_origin(
    store: GenerationStore, store_redis: Redis
) -> None:
    await store.accept(a_new_generation(), idempotency_key="k-1")
    with pytest.raises(IdempotencyConflict):
        await store.accept(a_new_generation(input={"prompt": "else"}), idempotency_key="k-1")
    other = await store.accept(a_new_generation(origin="archive"), idempotency_key="k-1")
    assert other.origin == "archive"
    assert await store_redis.zcard(index_of(None)) == 2


async def test_another_origins_generation_is_not_there(store: GenerationStore) -> None:
    generation = await accept(store)
    for origin in ("archive", "", "Studio", "studio "):
        with pytest.raises(GenerationNotFound):
            await store.find(generation.id, origin=origin)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gen_",
        "gen_unknown",
        "generations",
        "generations:studio",
        "due:submissions",
        "unfinished",
        "origins",
        "origin:studio",
        "*",
        pytest.param(new_id(GENERATION), id="nobody's"),
        pytest.param(new_id(DELIVERY), id="of a delivery"),
        pytest.param(new_id(GENERATION).lower(), id="in small letters"),
    ],
)
async def test_what_is_no_generations_id_is_not_there(
    text: str, store: GenerationStore, store_redis: Redis
) -> None:
    await accept(store)
    await OriginStore(store_redis).create_key("studio")
    with pytest.raises(GenerationNotFound):
        await store.find(text)


async def test_a_delivery_is_no_generation(store: GenerationStore) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    await store.cancel(generation)
    (delivery_id,) = (await store.find(generation.id)).delivery_ids
    with pytest.raises(GenerationNotFound):
        await store.find(delivery_id)


async def test_deliveries_are_listed_the_oldest_first(store: GenerationStore) -> None:
    generation = await accept(store, webhook=ENDPOINT)
    assert await store.find_deliveries(generation) == []
    await store.cancel(generation)
    found = await store.find(generation.id)
    (delivery,) = await store.find_deliveries(found)
    assert delivery.generation_id == generation.id
    assert delivery.event_type == "generation.cancelled"


async def test_each_has_its_place_in_line(
    store: GenerationStore, due: DueIndex, store_redis: Redis
) -> None:
    accepted = await accept_many(store, 3)
    order = [str(i) for i in await store_redis.zrange(due_key(Lane.SUBMISSIONS), 0, -1)]
    places = {generation.id: await store.place_in_line(generation) for generation in accepted}
    assert [places[generation_id] for generation_id in order] == [1, 2, 3]
    # What a worker has in hand is at the front, and so is what comes next.
    claimed = await claim(due, Lane.SUBMISSIONS)
    assert claimed.id == order[0]
    after = {generation.id: await store.place_in_line(generation) for generation in accepted}
    assert [after[generation_id] for generation_id in order] == [1, 1, 2]


async def test_what_is_in_no_line_is_at_its_front(store: GenerationStore, due: DueIndex) -> None:
    generation: Generation = await accept(store)
    await bring_to(due, Status.IN_QUEUE)
    assert await store.place_in_line(generation) == 1
