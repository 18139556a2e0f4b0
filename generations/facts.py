"""Facts that Redis alone knows, read when they are asked for: every exporter tells the same."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from generations.breaker import BREAKER, BREAKER_FAILURES
from generations.connection import PREFIX, Redis, load_script, reaching_store
from generations.endpoint_health import BreakerStatus, EndpointHealth
from generations.indexes import UNFINISHED, due_key, exhausted_key
from generations.records import in_ms
from generations.steps import Lane

_UNFINISHED: Final = "Generations and deliveries that have not ended."
_ENTRIES: Final = "What is in a lane: due now, later, or in hand."
_DUE: Final = "What is due now and not in hand."
_OLDEST: Final = "How long the oldest of what is due now has been due."
_EXHAUSTED: Final = "Deliveries that nobody took, as long as they are kept and not told again."
_BREAKER: Final = "Whether only probes are let through to RunComfy, which answers nobody."
_SERVERS: Final = "Servers behind endpoints, those called last, by what their breaker lets through."
_UP: Final = "Whether Redis answered when it was asked for the other facts."


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One lane, now."""

    lane: Lane
    entries: int
    due: int
    oldest_due_age: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of all of them, now."""

    unfinished_generations: int
    unfinished_deliveries: int
    exhausted_deliveries: int
    lanes: tuple[LaneFacts, ...]
    is_breaker_open: bool
    #: Servers behind endpoints, by their breaker's status.
    servers: Mapping[BreakerStatus, int]


class FactReader:
    """Reads them, each kind in one round trip."""

    def __init__(self, redis: Redis, *, keep: timedelta) -> None:
        self._keep = keep
        self._script = load_script(redis, "line", "facts")
        self._endpoints = EndpointHealth(redis)

    @reaching_store
    async def read(self) -> Facts:
        """The facts of this instant."""
        keys = [BREAKER, UNFINISHED, exhausted_key(), *(due_key(lane) for lane in Lane)]
        in_lines = [int(lane is Lane.SUBMISSIONS) for lane in Lane]
        args: list[str | int] = [PREFIX, in_ms(self._keep), *in_lines]
        failures, unfinished, exhausted, *found = await self._script(keys=keys, args=args)
        rows = zip(Lane, found[::3], found[1::3], found[2::3], strict=True)
        lanes = tuple(LaneFacts(lane, int(n), int(due), age / 1000) for lane, n, due, age in rows)
        servers = Counter(state.status for state in await self._endpoints.states())
        deliveries = next(one.entries for one in lanes if one.lane is Lane.DELIVERIES)
        return Facts(
            # Each unfinished delivery has one entry in its lane, and nothing else is there.
            unfinished_generations=max(int(unfinished) - deliveries, 0),
            unfinished_deliveries=deliveries,
            exhausted_deliveries=int(exhausted),
            lanes=lanes,
            is_breaker_open=failures >= BREAKER_FAILURES,
            servers={status: servers[status] for status in BreakerStatus},
        )


def families(facts: Facts | None) -> Iterator[Metric]:
    """The facts as metrics; of facts that could not be read, that they could not."""
    yield GaugeMetricFamily("darkroom_redis_up", _UP, value=facts is not None)
    if facts is None:
        return
    unfinished = GaugeMetricFamily("darkroom_unfinished", _UNFINISHED, labels=["what"])
    unfinished.add_metric(["generations"], facts.unfinished_generations)
    unfinished.add_metric(["deliveries"], facts.unfinished_deliveries)
    entries = GaugeMetricFamily("darkroom_lane_entries", _ENTRIES, labels=["lane"])
    due = GaugeMetricFamily("darkroom_due", _DUE, labels=["lane"])
    oldest = GaugeMetricFamily("darkroom_oldest_due_age_seconds", _OLDEST, labels=["lane"])
    for one in facts.lanes:
        entries.add_metric([one.lane], one.entries)
        due.add_metric([one.lane], one.due)
        oldest.add_metric([one.lane], one.oldest_due_age)
    servers = GaugeMetricFamily("darkroom_endpoint_servers", _SERVERS, labels=["breaker"])
    for status, count in facts.servers.items():
        servers.add_metric([status], count)
    yield from (unfinished, entries, due, oldest, servers)
    exhausted = facts.exhausted_deliveries
    yield GaugeMetricFamily("darkroom_exhausted_deliveries", _EXHAUSTED, value=exhausted)
    yield GaugeMetricFamily("darkroom_runcomfy_breaker_open", _BREAKER, value=facts.is_breaker_open)
