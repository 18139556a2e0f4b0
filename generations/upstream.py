"""What all workers share of how RunComfy is called, beside the claims (``pace.lua``)."""

from datetime import timedelta

from generations.connection import Redis, load_script, reaching_store
from generations.errors import RunComfyThrottled
from generations.indexes import UPSTREAM
from generations.limits import UpstreamLimits
from generations.records import in_ms


class Gaps:
    """The gaps between polls that this process chose since it last told of them."""

    def __init__(self) -> None:
        self._count = 0
        self._total = timedelta()

    def note(self, gap: timedelta) -> None:
        """One more, as it would be if nothing were stretched."""
        self._count += 1
        self._total += gap

    def take(self) -> tuple[int, int]:
        """How many there are, and how long they are together (ms); none are left."""
        found = self._count, self._total // timedelta(milliseconds=1)
        self._count, self._total = 0, timedelta()
        return found


class ExtraCalls:
    """Calls beside those that are claimed: results, catalogs."""

    def __init__(self, redis: Redis, limits: UpstreamLimits) -> None:
        self._limits = limits
        self._call = load_script(redis, "pace", "stretch", "call")
        self._pause = load_script(redis, "pace", "pause")

    @reaching_store
    async def wait(self) -> timedelta:
        """How long the next one has to wait; it is counted.

        Raises:
            RunComfyThrottled: RunComfy is left alone for now.
        """
        rate = self._limits.requests_per_second
        if rate is None:
            return timedelta()
        wait_us, pause_ms = await self._call(keys=[UPSTREAM], args=[rate])
        if pause_ms:
            raise RunComfyThrottled(retry_after=timedelta(milliseconds=pause_ms))
        return timedelta(microseconds=wait_us)

    @reaching_store
    async def pause(self, pause: timedelta) -> None:
        """RunComfy asked for fewer requests: nobody calls it for so long."""
        await self._pause(keys=[UPSTREAM], args=[in_ms(pause)])
