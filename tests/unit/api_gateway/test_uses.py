"""Noting the use of a key costs the request nothing, whatever becomes of it."""

import asyncio

from api_gateway.uses import Uses
from generations.connection import connect
from generations.origins import OriginStore


class CountingStore(OriginStore):
    """A store that nobody can reach, and how often it was tried."""

    def __init__(self) -> None:
        super().__init__(connect("redis://127.0.0.1:1/0"))
        self.tried = 0

    async def note_use(self, api_key: str) -> None:
        self.tried += 1
        await super().note_use(api_key)


async def test_a_store_that_is_away_neither_delays_nor_fails_a_request() -> None:
    store = CountingStore()
    uses = Uses(store)
    uses.note("key_1", "dk_1")
    assert store.tried == 0  # It has not even begun, and the request goes on.
    await uses.finish()
    assert store.tried == 1


async def test_many_uses_at_once_are_noted_once_each_key() -> None:
    store = CountingStore()
    uses = Uses(store)
    for _ in range(100):
        uses.note("key_1", "dk_1")
        uses.note("key_2", "dk_2")
    await asyncio.sleep(0)
    await uses.finish()
    assert store.tried == 2
