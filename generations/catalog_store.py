"""The catalog in Redis, where a worker puts it, and each program's own copy of it.

``catalog`` is a hash: ``version`` (a hash of the records) and ``models`` (the records as
JSON). ``catalog:fresh`` is there for as long as nobody needs to fetch it anew.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

from redis.asyncio import Redis

from generations.bundled import BUNDLED
from generations.catalog import Catalog, merge
from generations.connection import key, reaching_store
from generations.errors import StoreUnavailable
from generations.logs import logger
from generations.model import Json
from generations.records import dump_json, in_ms

CATALOG: Final = key("catalog")
FRESH: Final = key("catalog:fresh")

log = logger(__name__)


class CatalogStore:
    """What RunComfy's catalog was when it was fetched last."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @reaching_store
    async def save(self, records: Sequence[Json], *, fresh_for: timedelta) -> bool:
        """Keep a catalog in place of the one before; False where it is the same."""
        text = dump_json(records)
        version = hashlib.sha256(text.encode()).hexdigest()
        is_new = version != await self._redis.hget(CATALOG, "version")
        async with self._redis.pipeline(transaction=True) as pipe:
            if is_new:
                pipe.hset(CATALOG, mapping={"version": version, "models": text})
            pipe.set(FRESH, "1", px=max(in_ms(fresh_for), 1))
            await pipe.execute()
        return is_new

    @reaching_store
    async def is_fresh(self) -> bool:
        """Whether it was saved so lately that it need not be fetched."""
        return bool(await self._redis.exists(FRESH))

    @reaching_store
    async def version(self) -> str | None:
        """What changes whenever the catalog does; None where there is none."""
        found = await self._redis.hget(CATALOG, "version")
        return None if found is None else str(found)

    @reaching_store
    async def read(self) -> list[dict[str, Any]]:
        """The records; none where no worker has fetched any yet."""
        text = await self._redis.hget(CATALOG, "models")
        # Some megabytes: the loop goes on with other things meanwhile.
        found = await asyncio.to_thread(json.loads, text or "[]")
        return list(found)


class CatalogCopy:
    """The catalog in a program's memory: what comes with Darkroom, and what was fetched."""

    def __init__(self, store: CatalogStore) -> None:
        self.current = Catalog(BUNDLED)
        self._store = store
        self._version: str | None = None

    async def look(self) -> None:
        """Take over the kept catalog if it is another than before.

        Raises:
            StoreUnavailable: the copy stays as it is.
        """
        version = await self._store.version()
        if version == self._version:
            return
        self.current = Catalog(merge(BUNDLED, await self._store.read()))
        self._version = version
        log.info("catalog.taken_over", models=sum(1 for _ in self.current))

    @asynccontextmanager
    async def following(self, *, interval: timedelta) -> AsyncIterator[None]:
        """Look again and again meanwhile; while Redis is away, the copy serves as it is."""
        looking = asyncio.create_task(self._look_on(interval))
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def _look_on(self, interval: timedelta) -> None:
        while True:
            try:
                await self.look()
            except StoreUnavailable:
                log.debug("catalog.waiting")
            except (ValueError, KeyError, TypeError):
                log.exception("catalog.unreadable")
            await asyncio.sleep(interval.total_seconds())
