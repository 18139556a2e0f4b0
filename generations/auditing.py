"""The audit: what is unfinished is compared with the due index, and what is missing put back."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import timedelta
from operator import add
from typing import Final

from generations.connection import PREFIX, Redis, key, load_script, reaching_store
from generations.ids import DELIVERY
from generations.indexes import (
    IN_FLIGHT as ALL_IN_FLIGHT,
)
from generations.indexes import (
    ORIGINS,
    UNFINISHED,
    due_key,
    in_flight_key,
    line_key,
    unfinished_key,
)
from generations.lifecycle import IN_FLIGHT
from generations.records import in_ms
from generations.steps import Lane

#: How many ids one call of the audit's script looks at, so that it holds nobody up.
AUDIT_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Audited:
    """What one look through all that is unfinished found and mended."""

    looked_at: int = 0
    #: Records that were in no lane.
    put_back: int = 0
    #: Entries that were due further ahead than anything may be.
    pulled_back: int = 0
    #: Ids without a record.
    forgotten: int = 0


class Audit:
    """Looks through all that is unfinished, for whoever's turn it is."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._audit = load_script(redis, "line", "audit")
        self._sweep = load_script(redis, "sweep")
        self._let_go = load_script(redis, "line", "limit")

    @reaching_store
    async def run(self, *, submitting: timedelta, longest: Mapping[Lane, timedelta]) -> Audited:
        """Put every unfinished record that is in no lane back into its lane.

        Args:
            submitting: how long to leave alone what may be being submitted right now.
            longest: how far ahead the entries of each lane may be due. What is beyond that is
                due now: Redis's clock was set back since.
        """
        cursor, total = "0", Audited()
        while True:
            cursor, *counts = await self._audit(
                keys=[UNFINISHED, *(due_key(lane) for lane in Lane)],
                args=[
                    cursor,
                    AUDIT_PAGE,
                    PREFIX,
                    DELIVERY,
                    in_ms(submitting),
                    *(in_ms(longest[lane]) for lane in Lane),
                    *IN_FLIGHT,
                ],
            )
            total = Audited(*map(add, astuple(total), counts))
            if cursor == "0":
                break
        await self._sweep_all(ALL_IN_FLIGHT, "SSCAN")
        for origin in await self._redis.smembers(ORIGINS):
            await self._audit_origin(str(origin))
        return total

    async def _audit_origin(self, origin: str) -> None:
        await self._sweep_all(unfinished_key(origin), "SSCAN")
        await self._sweep_all(in_flight_key(origin), "SSCAN")
        await self._sweep_all(line_key(origin), "ZSCAN")
        await self._let_go(args=[PREFIX, origin])

    async def _sweep_all(self, index: str, scan: str) -> None:
        cursor = "0"
        while True:
            cursor, _ = await self._sweep(keys=[UNFINISHED, index], args=[scan, cursor, AUDIT_PAGE])
            if cursor == "0":
                break

    @reaching_store
    async def is_my_turn(self, name: str, *, interval: timedelta) -> bool:
        """Whether nobody did the named thing within the interval; if so, it counts as done."""
        turn = key(f"turn:{name}")
        if await self._redis.set(turn, "1", nx=True, px=in_ms(interval)):
            return True
        if await self._redis.pttl(turn) > in_ms(interval):
            # Redis's clock was set back since: the next who asks is not kept waiting for it.
            await self._redis.delete(turn)
        return False
