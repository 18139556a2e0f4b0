"""Fetching the catalog: a real store, and a RunComfy that lists as the test asks it to."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from generations.catalog_store import CATALOG, FRESH
from generations.settings import WorkerSettings
from tests.integration.conftest import HOUR
from tests.integration.raw_server import RawServer, serving
from worker.catalog import refresh_in_turn
from worker.clients import Clients

FOX: dict[str, Any] = {"model_id": "studio/fox", "input_schema": {"type": "object"}}
OWL: dict[str, Any] = {"model_id": "studio/owl", "input_schema": {"type": "object"}}


class PlayedCatalog:
    """A catalog over HTTP; ``broken`` paths are answered with 500."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.page = 100
        self.total: Any = "as many as there are"
        self.broken: set[str] = set()
        self.hides_schemas = False
        self.server: RawServer | None = None

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.server is not None
        asked = urlsplit(self.server.requests[-1].split(b" ")[1].decode())
        status, said = "200 OK", self._answer(asked.path, asked.query)
        if asked.path in self.broken or said is None:
            status, said = "500 Internal Server Error", {}
        body = json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _answer(self, path: str, query: str) -> Any:
        if path != "/v1/models":
            found = [r for r in self.records if path == f"/v1/models/{r['model_id']}"]
            return found[0] if found else None
        offset = int(parse_qs(query)["offset"][0])
        page = [dict(record) for record in self.records[offset : offset + self.page]]
        if self.hides_schemas:
            page = [{"model_id": record["model_id"]} for record in page]
        total = len(self.records) if isinstance(self.total, str) else self.total
        return {"models": page, "total": total}

    @property
    def asked(self) -> list[str]:
        assert self.server is not None
        return [request.split(b" ")[1].decode() for request in self.server.requests]


@pytest_asyncio.fixture
async def runcomfy() -> AsyncIterator[PlayedCatalog]:
    played = PlayedCatalog()
    async with serving(played) as server:
        played.server = server
        yield played


@pytest_asyncio.fixture
async def clients(redis_url: str, runcomfy: PlayedCatalog) -> AsyncIterator[Clients]:
    assert runcomfy.server is not None
    settings = WorkerSettings.model_validate(
        {
            "redis_url": redis_url,
            "runcomfy_api_token": "t",
            "runcomfy_model_api_base": f"{runcomfy.server.url}/v1",
        }
    )
    opened = await Clients.open(settings)
    yield opened
    await opened.close()


async def refreshed_again(clients: Clients) -> None:
    """Refresh although it is fresh, and although it was this worker's turn just now."""
    await clients.redis.delete(FRESH, "darkroom:turn:catalog")
    await refresh_in_turn(clients)


async def test_the_whole_catalog_is_kept(clients: Clients, runcomfy: PlayedCatalog) -> None:
    runcomfy.records = [{**FOX, "model_id": f"studio/{n}"} for n in range(250)]
    await refresh_in_turn(clients)
    assert await clients.catalogs.read() == runcomfy.records
    assert len(runcomfy.asked) == 3


async def test_a_catalog_that_is_fresh_is_not_fetched(
    clients: Clients, runcomfy: PlayedCatalog
) -> None:
    runcomfy.records = [FOX]
    await refresh_in_turn(clients)
    await refresh_in_turn(clients)
    assert len(runcomfy.asked) == 1


async def test_one_worker_at_a_time_fetches_it(clients: Clients, runcomfy: PlayedCatalog) -> None:
    runcomfy.records = [FOX]
    await asyncio.gather(*(refresh_in_turn(clients) for _ in range(20)))
    assert len(runcomfy.asked) == 1


@pytest.mark.parametrize("total", [None, 10**9, -1])
async def test_a_wrong_total_neither_loses_models_nor_goes_on_for_ever(
    clients: Clients, runcomfy: PlayedCatalog, total: Any
) -> None:
    runcomfy.records = [FOX, OWL]
    runcomfy.total = total
    await refresh_in_turn(clients)
    assert await clients.catalogs.read() == [FOX, OWL]
    assert len(runcomfy.asked) <= 2


async def test_a_failure_keeps_what_was_there(clients: Clients, runcomfy: PlayedCatalog) -> None:
    runcomfy.records = [FOX]
    await refresh_in_turn(clients)
    runcomfy.records = [OWL]
    runcomfy.broken = {"/v1/models"}
    await refreshed_again(clients)
    assert await clients.catalogs.read() == [FOX]
    assert not await clients.catalogs.is_fresh()


async def test_an_unreadable_catalog_is_replaced_by_the_next(
    clients: Clients, runcomfy: PlayedCatalog
) -> None:
    runcomfy.records = [FOX]
    await clients.redis.hset(CATALOG, mapping={"version": "broken", "models": "{"})
    await refresh_in_turn(clients)
    assert await clients.catalogs.read() == [FOX]
    assert clients.catalog.current.find("studio/fox") is not None


async def test_a_worker_takes_over_what_another_one_fetched(
    clients: Clients, runcomfy: PlayedCatalog
) -> None:
    await clients.catalogs.save([FOX], fresh_for=HOUR)
    await refresh_in_turn(clients)
    assert clients.catalog.current.find("studio/fox") is not None
    assert runcomfy.asked == []


async def test_an_empty_catalog_is_not_believed(clients: Clients, runcomfy: PlayedCatalog) -> None:
    runcomfy.records = [FOX]
    await refresh_in_turn(clients)
    runcomfy.records = []
    await refreshed_again(clients)
    assert await clients.catalogs.read() == [FOX]


async def test_schemas_that_the_list_leaves_out_are_asked_for(
    clients: Clients, runcomfy: PlayedCatalog
) -> None:
    runcomfy.records = [FOX, OWL]
    runcomfy.hides_schemas = True
    await refresh_in_turn(clients)
    assert await clients.catalogs.read() == [FOX, OWL]


async def test_a_schema_that_cannot_be_had_now_is_the_one_of_last_time(
    clients: Clients, runcomfy: PlayedCatalog
) -> None:
    runcomfy.records = [FOX, OWL]
    await refresh_in_turn(clients)
    runcomfy.hides_schemas = True
    runcomfy.broken = {"/v1/models/studio/fox"}
    await refreshed_again(clients)
    assert await clients.catalogs.read() == [FOX, OWL]


async def test_what_is_broken_in_between_takes_nothing_down(
    clients: Clients, runcomfy: PlayedCatalog
) -> None:
    runcomfy.records = [FOX, OWL]
    runcomfy.page = 1
    runcomfy.records.append({"model_id": "studio/hidden"})
    runcomfy.broken = {"/v1/models/studio/hidden"}
    await refresh_in_turn(clients)
    assert [record["model_id"] for record in await clients.catalogs.read()] == [
        "studio/fox",
        "studio/owl",
        "studio/hidden",
    ]
