"""Facts that Redis alone knows, read when they are asked for: every exporter tells the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from generations.breaker import BREAKER, BREAKER_FAILURES
from generations.connection import Redis, load_script, reaching_store
from generations.indexes import due_key
from generations.steps import Lane

_UNFINISHED: Final = "Generations and deliveries that have not ended, by the lane that they are in."
_DUE: Final = "What is due now and not in hand."
_OLDEST: Final = "How long the oldest of what is due now has been due."
_BREAKER: Final = "Whether only probes are let through to RunComfy, which answers nobody."
_UP: Final = "Whether Redis answered when it was asked for the other facts."


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One lane, now."""

    lane: Lane
    unfinished: int
    due: int
    oldest_due_age: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of all of them, now."""

    lanes: tuple[LaneFacts, ...]
    is_breaker_open: bool


class FactReader:
    """Reads them in one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._script = load_script(redis, "facts")

    @reaching_store
    async def read(self) -> Facts:
        """The facts of this instant."""
        keys = [BREAKER, *(due_key(lane) for lane in Lane)]
        failures, *found = await self._script(keys=keys)
        rows = zip(Lane, found[::3], found[1::3], found[2::3], strict=True)
        lanes = tuple(LaneFacts(lane, int(n), int(due), age / 1000) for lane, n, due, age in rows)
        return Facts(lanes, is_breaker_open=failures >= BREAKER_FAILURES)


def families(facts: Facts | None) -> Iterator[Metric]:
    """The facts as metrics; of facts that could not be read, that they could not."""
    yield GaugeMetricFamily("darkroom_redis_up", _UP, value=facts is not None)
    if facts is None:
        return
    unfinished = GaugeMetricFamily("darkroom_unfinished", _UNFINISHED, labels=["lane"])
    due = GaugeMetricFamily("darkroom_due", _DUE, labels=["lane"])
    oldest = GaugeMetricFamily("darkroom_oldest_due_age_seconds", _OLDEST, labels=["lane"])
    for one in facts.lanes:
        unfinished.add_metric([one.lane], one.unfinished)
        due.add_metric([one.lane], one.due)
        oldest.add_metric([one.lane], one.oldest_due_age)
    yield from (unfinished, due, oldest)
    yield GaugeMetricFamily("darkroom_runcomfy_breaker_open", _BREAKER, value=facts.is_breaker_open)
