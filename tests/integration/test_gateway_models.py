"""RunComfy's catalog routes: bundled models at once, and what a worker fetched soon after."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from generations.bundled import BUNDLED
from generations.catalog_store import CATALOG, CatalogStore
from tests.builders import SEEDANCE, UNLISTED
from tests.integration.conftest import HOUR
from tests.waiting import eventually

FOX = "studio/fox/text-to-image"
SCHEMA = {
    "type": "object",
    "required": ["prompt"],
    "properties": {"prompt": {"type": "string"}, "seed": {"type": "integer", "minimum": 0}},
}
RECORD: dict[str, Any] = {
    "model_id": FOX,
    "display_name": "Fox",
    "description": "Draws foxes.",
    "categories": ["text-to-image"],
    "kind": "model",
    "base_price_usd": 0.04,
    "price_unit": "output",
    "input_schema": SCHEMA,
}


async def ids(origin: httpx.AsyncClient, **query: Any) -> list[str]:
    """The ids of a page of models."""
    answer = await origin.get("/v1/models", params=query)
    assert answer.status_code == 200, answer.text
    return [model["model_id"] for model in answer.json()["models"]]


async def fetched(redis: Redis, origin: httpx.AsyncClient, *records: dict[str, Any]) -> None:
    """Have these in the catalog, as a worker does, and wait until the gateway has them."""
    await CatalogStore(redis).save(records, fresh_for=HOUR)
    await shown(origin, *(record["model_id"] for record in records), SEEDANCE)


async def shown(origin: httpx.AsyncClient, *wanted: str) -> None:
    """Come back when the gateway has just these models."""

    async def look() -> bool:
        return await ids(origin) == list(wanted)

    await eventually(look, "the gateway takes the catalog over")


@pytest_asyncio.fixture(autouse=True)
async def as_after_a_start(studio: httpx.AsyncClient) -> None:
    """The gateway, which outlives tests, has seen that the catalog of the last one is gone."""
    await shown(studio, SEEDANCE)


async def test_without_a_worker_the_bundled_models_are_there(studio: httpx.AsyncClient) -> None:
    body = (await studio.get("/v1/models")).json()
    assert body["total"] == len(BUNDLED)
    (record,) = body["models"]
    assert record["model_id"] == SEEDANCE
    assert record["required_inputs"] == ["prompt", "first_frame_image_url"]
    assert "input_schema" not in record
    assert (await studio.get("/v1/models/categories")).json() == {"categories": ["image-to-video"]}


async def test_a_model_is_shown_with_its_schema(studio: httpx.AsyncClient) -> None:
    one = (await studio.get(f"/v1/models/{SEEDANCE}")).json()
    (listed,) = (await studio.get("/v1/models?include_schema=true")).json()["models"]
    assert one == listed
    assert list(one["input_schema"]["properties"])[:2] == ["prompt", "first_frame_image_url"]
    assert "base_price_usd" not in one


@pytest.mark.parametrize("model_id", [UNLISTED, SEEDANCE.upper()])
async def test_a_model_that_the_catalog_does_not_have(
    studio: httpx.AsyncClient, model_id: str
) -> None:
    answer = await studio.get(f"/v1/models/{model_id}")
    assert answer.status_code == 404
    assert (answer.json()["code"], answer.json()["error_code"]) == ("model_not_found", 404001)


@pytest.mark.parametrize("model_id", ["x", f"{SEEDANCE}%0A", "vendor//model"])
async def test_an_id_that_no_model_can_have(studio: httpx.AsyncClient, model_id: str) -> None:
    answer = await studio.get(f"/v1/models/{model_id}")
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["error_code"]) == ("invalid_model_id", 400001)


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "offset=-1"])
async def test_a_page_that_runcomfy_does_not_give(studio: httpx.AsyncClient, query: str) -> None:
    answer = await studio.get(f"/v1/models?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == f"?{query.partition('=')[0]}"


async def test_what_a_worker_fetched_is_taken_over_and_checked_against(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    submit = f"/v1/models/{FOX}"
    assert (await studio.post(submit, json={"seed": -1})).status_code == 200
    await fetched(store_redis, studio, RECORD)
    assert (await studio.get(submit)).json() == RECORD | {
        "inputs": ["prompt", "seed"],
        "required_inputs": ["prompt"],
    }
    refused = await studio.post(submit, json={"seed": -1})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/prompt", "#/seed"]
    assert (await studio.post(submit, json={"prompt": "A fox"})).status_code == 200


@pytest.mark.parametrize("route", ["runcomfy", "native", "batch"])
async def test_what_was_accepted_before_the_schema_was_known_is_replayed_and_not_denied(
    studio: httpx.AsyncClient, store_redis: Redis, route: str
) -> None:
    given = {"seed": -1}
    one = {"model": FOX, "input": given}
    path, body = {
        "runcomfy": (f"/v1/models/{FOX}", given),
        "native": ("/v1/generations", one),
        "batch": ("/v1/generations/batch", {"generations": [one]}),
    }[route]
    headers = {"Idempotency-Key": "order-1"}
    first = await studio.post(path, json=body, headers=headers)
    await fetched(store_redis, studio, RECORD)
    again = await studio.post(path, json=body, headers=headers)
    fresh = await studio.post(path, json=body, headers={"Idempotency-Key": "order-2"})
    assert again.status_code == first.status_code
    (generation,) = (await studio.get("/v1/generations")).json()["generations"]
    assert generation["id"] in first.text
    assert generation["id"] in again.text
    assert "invalid_input" in fresh.text


async def test_models_are_filtered_and_paged(studio: httpx.AsyncClient, store_redis: Redis) -> None:
    await fetched(
        store_redis, studio, RECORD, {**RECORD, "model_id": "studio/owl", "kind": "inference"}
    )
    assert await ids(studio) == [FOX, "studio/owl", SEEDANCE]
    assert await ids(studio, search="SEEDANCE") == [SEEDANCE]
    assert await ids(studio, category="text-to-image") == [FOX, "studio/owl"]
    assert await ids(studio, kind="inference") == ["studio/owl"]
    assert await ids(studio, limit=1, offset=1) == ["studio/owl"]
    assert (await studio.get("/v1/models?limit=1&offset=9")).json() == {"models": [], "total": 3}


async def test_an_unreadable_catalog_leaves_the_copy_as_it_was(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    await fetched(store_redis, studio, RECORD)
    await store_redis.hset(CATALOG, mapping={"version": "broken", "models": "{"})
    await fetched(store_redis, studio, {**RECORD, "model_id": "studio/later"})
    assert await ids(studio) == ["studio/later", SEEDANCE]


async def test_every_route_asks_for_a_key(stranger: httpx.AsyncClient) -> None:
    for path in ("/v1/models", "/v1/models/categories", f"/v1/models/{SEEDANCE}"):
        assert (await stranger.get(path)).status_code == 401
