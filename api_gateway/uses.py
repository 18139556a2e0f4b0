"""Noting when a key was used last, beside the request that used it: it never waits or fails."""

import asyncio
import time

from generations.errors import StoreUnavailable
from generations.logs import logger
from generations.origins import USE_NOTED_EVERY, OriginStore

log = logger(__name__)


class Uses:
    """The uses of keys that this process saw."""

    def __init__(self, origins: OriginStore) -> None:
        self._origins = origins
        #: When each key's use was last on its way to the store, on this process's clock.
        self._noted: dict[str, float] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def note(self, key_id: str, api_key: str) -> None:
        """Have the use of a key kept, unless this process just had that done."""
        now = time.monotonic()
        if now - self._noted.get(key_id, float("-inf")) < USE_NOTED_EVERY.total_seconds():
            return
        self._noted[key_id] = now
        task = asyncio.create_task(self._keep(api_key))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way)

    async def _keep(self, api_key: str) -> None:
        try:
            await self._origins.note_use(api_key)
        except StoreUnavailable:
            log.warning("key.use_not_noted")
