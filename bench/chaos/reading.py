"""Reading what the gateway and the simulator have on record, over their public routes."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import httpx

from bench.chaos.evidence import FINAL, Json
from ops.local import parts
from ops.local.stack import LocalStack

#: Questions under way at once.
AT_ONCE: Final = 16
#: Seconds between two looks at what has not ended yet.
INTERVAL: Final = 0.5
PATIENCE: Final = 10.0
EVERYTHING: Final = 1_000_000


class Records:
    """The native records of some generations, read until each has ended."""

    def __init__(self, stack: LocalStack) -> None:
        self.found: dict[str, Json] = {}
        self._gateway = stack.urls[parts.GATEWAY]
        self._simulator = stack.urls[parts.SIMULATOR]
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        # On this machine, so never through a proxy that the environment may name.
        self._to_gateway = httpx.AsyncClient(timeout=PATIENCE, trust_env=False, headers=headers)
        self._to_simulator = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        await self._to_gateway.aclose()
        await self._to_simulator.aclose()

    @property
    def ended(self) -> int:
        """How many of those found have ended, deliveries included."""
        return sum(map(has_ended, self.found.values()))

    async def until_ended(self, ids: Iterable[str]) -> None:
        """Read records again and again until all have ended, deliveries included."""
        left = set(ids)
        while left:
            await asyncio.gather(*(self._read(generation_id) for generation_id in left))
            left = {i for i in left if i not in self.found or not has_ended(self.found[i])}
            await asyncio.sleep(INTERVAL if left else 0)

    async def _read(self, generation_id: str) -> None:
        async with self._turns:
            try:
                url = f"{self._gateway}/v1/generations/{generation_id}"
                answer = await self._to_gateway.get(url)
            except httpx.TransportError:
                return  # A later look finds it.
        if answer.status_code == 200:
            self.found[generation_id] = answer.json()
        elif answer.status_code == 404:
            self.found.pop(generation_id, None)

    async def ledger(self) -> list[Json]:
        """Every submission that the simulator accepted, that is, would charge for."""
        answer = await self._ask(f"/_sim/ledger?limit={EVERYTHING}")
        return list(answer["entries"])

    async def faults(self) -> dict[str, dict[str, int]]:
        """The faults that were met, by route, and how often."""
        return dict((await self._ask("/_sim/stats"))["faults"])

    async def paid(self) -> int:
        """How many submissions the simulator has accepted."""
        return int((await self._ask("/_sim/stats"))["accepted"])

    async def _ask(self, path: str) -> dict[str, Any]:
        answer = await self._to_simulator.get(self._simulator + path)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def has_ended(record: Json) -> bool:
    """Whether neither it nor a delivery of its can change any more."""
    open_ones = [d for d in record["deliveries"] if d["status"] == "pending"]
    return record["status"] in FINAL and not open_ones
