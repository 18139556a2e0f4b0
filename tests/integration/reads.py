"""How many requests wait, told by what they asked of Redis before."""

import httpx
from redis.asyncio import Redis

from tests.waiting import eventually


class Reads:
    """How often records are read, which tells how many requests have come to wait."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._before = self._of_one = 0

    async def count(self) -> int:
        """Hashes that were read since the server started."""
        stats = await self._redis.info("commandstats")
        return int(stats.get("cmdstat_hgetall", {}).get("calls", 0))

    async def begin(self, origin: httpx.AsyncClient, generation_id: str) -> None:
        """Count from now on; what one request without a wait reads is known then."""
        before = await self.count()
        await origin.get(f"/v1/generations/{generation_id}")
        self._before = await self.count()
        self._of_one = self._before - before

    async def until_waiting(self, requests: int) -> None:
        """Come back when so many wait: each looks once more before it listens."""

        async def waiting() -> bool:
            return await self.count() >= self._before + (self._of_one + 1) * requests

        await eventually(waiting, f"{requests} requests wait")
