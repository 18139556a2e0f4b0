"""The killer: SIGKILL for a random part every few seconds, by a plan that a seed repeats."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from ops.local import parts
from ops.local.keeper import kill_group

#: Seconds between two looks for a part that lives and can be killed.
INTERVAL: Final = 0.02


class Kill(NamedTuple):
    """One kill: when, in seconds from the beginning, and which of the candidates."""

    at: float
    is_redis: bool
    #: From 0 to 1, over the candidates.
    draw: float


def plan_kills(
    *, kills: int, redis_kills: int, seconds: float, source: random.Random
) -> list[Kill]:
    """Kills spread over a time: one at a random instant in each of as many equal slices."""
    planned = [
        Kill(seconds * (slot + source.random()) / count, is_redis, source.random())
        for is_redis, count in ((False, kills), (True, redis_kills))
        for slot in range(count)
    ]
    return sorted(planned)


class Killer:
    """Kills parts, and counts them. ``pids`` tells which parts live now."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self.kills = 0
        self.redis_kills = 0
        self._pids = pids

    async def carry_out(self, planned: Sequence[Kill]) -> None:
        """Do all of it, each as soon after its instant as there is something to kill."""
        began = time.monotonic()
        for kill in planned:
            await asyncio.sleep(began + kill.at - time.monotonic())
            while not self._kill(kill):  # noqa: ASYNC110  # The supervisor tells nobody.
                await asyncio.sleep(INTERVAL)

    def _kill(self, kill: Kill) -> bool:
        living = {n: pid for n, pid in self._pids().items() if _is_candidate(n, kill)}
        if not living:
            return False
        name = sorted(living)[int(kill.draw * len(living))]
        # The whole group: a worker or gateway with all that it started.
        kill_group(living[name])
        self.kills += not kill.is_redis
        self.redis_kills += kill.is_redis
        return True


def _is_candidate(name: str, kill: Kill) -> bool:
    if kill.is_redis:
        return name == parts.VALKEY
    return name == parts.GATEWAY or name.startswith(parts.WORKER)
