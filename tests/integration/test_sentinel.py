"""The store behind a Sentinel: one client, whichever server is the primary."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from generations.connection import Redis, connect
from generations.due import DueIndex
from generations.errors import StoreUnavailable
from generations.lifecycle import Status
from generations.model import Generation
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.integration.claiming import SUCCEEDED, accept, bring_to, settled
from tests.sentinels import Sentinels
from tests.waiting import eventually

KEPT = timedelta(days=1)
CONNECTIONS = 16


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    started = Sentinels(tmp_path)
    try:
        started.start_primary()
        started.watch()
        yield started
    finally:
        started.close()


@pytest_asyncio.fixture
async def behind(sentinels: Sentinels) -> AsyncIterator[Redis]:
    """A client that knows nothing but the Sentinel."""
    client = connect(sentinels.url, max_connections=CONNECTIONS)
    yield client
    await client.aclose()


async def test_a_burst_waits_for_the_connections_that_there_are(
    behind: Redis, sentinels: Sentinels
) -> None:
    already_there = sentinels.connections()
    written = await asyncio.gather(*(behind.set(f"burst:{n}", n) for n in range(500)))
    assert all(written)
    assert 0 < sentinels.connections() - already_there <= CONNECTIONS


async def test_work_begun_on_one_primary_ends_on_the_next(
    behind: Redis, sentinels: Sentinels
) -> None:
    store = GenerationStore(behind, deadline=KEPT, keep=KEPT)
    due = DueIndex(behind, keep=KEPT)
    begun = await accept(store)
    held = await bring_to(due, Status.IN_PROGRESS)
    # Connections to the first primary that nobody uses just now are left over too.
    await asyncio.gather(*(store.find(begun.id) for _ in range(CONNECTIONS)))
    await asyncio.to_thread(sentinels.wait_for_replica)

    sentinels.kill_primary()
    new = a_new_generation()

    async def accepted() -> Generation | None:
        try:
            return await store.accept(new)
        except StoreUnavailable:
            return None

    await eventually(accepted, "the next primary accepts", seconds=60)
    await settled(due, held, SUCCEEDED)
    assert (await store.find(begun.id)).status is Status.SUCCEEDED
    await bring_to(due, Status.SUCCEEDED)
    assert (await store.find(new.id)).status is Status.SUCCEEDED
