"""How the servers behind endpoints do, and who may call them now; shared by all workers.

Two rules for each server (scheme, host and port): so many callbacks at once, and a breaker,
which opens where most of them fail, and closes when a single one gets through. A delivery that
has to wait is given back without using an attempt. The scripts document the keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from generations.addresses import server_of
from generations.connection import Redis, key, load_script, reaching_store
from generations.due import Claim, due_key
from generations.errors import InvalidWebhook
from generations.model import Delivery
from generations.records import from_ms, in_ms, to_ms
from generations.steps import Lane

ENDPOINTS: Final = key("endpoints")
#: How many servers are remembered, those called last.
MOST_SERVERS: Final = 10_000
#: The breaker judges by the callbacks of this window and of the one before.
WINDOW: Final = timedelta(minutes=1)
#: By so many at least: a server that is called twice and fails once says little.
FEWEST_JUDGED: Final = 10
#: The share of failures from which it opens.
FAILING: Final = 0.5
LONGEST_PROBE_INTERVAL: Final = timedelta(minutes=10)


class Verdict(StrEnum):
    """What an attempt says about the server behind its endpoint."""

    ANSWERED = "answered"  #: It works, whatever it thought of the callback.
    FAILED = "failed"  #: It gave no answer, or one that says that it does not work.
    NONE = "none"  #: It was not asked.


class BreakerStatus(StrEnum):
    """Whether a server's breaker lets callbacks through."""

    CLOSED = "closed"  #: All.
    OPEN = "open"  #: None; they wait.
    HALF_OPEN = "half_open"  #: One, which finds out whether the server is back.


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How one server does."""

    server: str  #: As ``https://example.com:443``.
    status: BreakerStatus
    #: Callbacks within this window and the one before, by what they said about the server.
    answered: int
    failed: int
    under_way: int
    waiting: int
    opened_at: datetime | None = None
    #: When the next callback may find out whether it is back; None while the breaker is closed.
    probe_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HealthRules:
    """What an operator may choose, and what follows from it."""

    concurrency: int = 50
    probe_interval: timedelta = timedelta(seconds=30)
    #: How long an attempt may take, at the most.
    lease: timedelta = timedelta(seconds=30)
    #: How old a delivery gets before it waits for no breaker any more.
    last_call: timedelta = timedelta(days=4)


class EndpointHealth:
    """Lets deliveries attempt their endpoints, and learns from how that went."""

    def __init__(self, redis: Redis, rules: HealthRules | None = None) -> None:
        self._redis = redis
        self._rules = rules or HealthRules()
        self._enter = load_script(redis, "endpoint", "endpoint_enter")
        self._leave = load_script(redis, "endpoint", "endpoint_leave")

    async def enter(self, taken: Iterable[tuple[Claim, Delivery]]) -> list[tuple[Claim, Delivery]]:
        """Those that may be attempted now; the others' claims are given up, and they wait.

        Each that may is to leave again.
        """
        by_server: dict[str, list[tuple[Claim, Delivery]]] = {}
        for claim, delivery in taken:
            by_server.setdefault(_server(delivery.endpoint), []).append((claim, delivery))
        return [
            one for server, several in by_server.items() for one in await self._let(server, several)
        ]

    @reaching_store
    async def _let(
        self, server: str, several: Sequence[tuple[Claim, Delivery]]
    ) -> list[tuple[Claim, Delivery]]:
        rules = self._rules
        entered = await self._enter(
            keys=[*_keys(server), ENDPOINTS, *(key(claim.id) for claim, _ in several)],
            args=[
                rules.concurrency,
                in_ms(rules.lease),
                in_ms(rules.last_call),
                in_ms(max(LONGEST_PROBE_INTERVAL, rules.probe_interval)),
                server,
                MOST_SERVERS,
                *(
                    part
                    for claim, delivery in several
                    for part in (claim.id, claim.fence, to_ms(delivery.created_at))
                ),
            ],
        )
        return [one for one, may in zip(several, entered, strict=True) if may]

    @reaching_store
    async def leave(self, delivery: Delivery, verdict: Verdict) -> str:
        """Make room for the next, and note what was learnt; "opened" or "closed" is news."""
        server, rules = _server(delivery.endpoint), self._rules
        news = await self._leave(
            keys=_keys(server),
            args=[
                delivery.id,
                verdict,
                rules.concurrency,
                in_ms(rules.probe_interval),
                in_ms(max(LONGEST_PROBE_INTERVAL, rules.probe_interval)),
                in_ms(WINDOW),
                FEWEST_JUDGED,
                FAILING,
            ],
        )
        return str(news)

    def server(self, delivery: Delivery) -> str:
        """The server behind a delivery's endpoint; nothing secret is in it."""
        return _server(delivery.endpoint)

    @reaching_store
    async def states(self, limit: int = 1000) -> list[EndpointState]:
        """Of the servers that were called within a day, those called last first."""
        servers = [str(s) for s in await self._redis.zrange(ENDPOINTS, 0, limit - 1, desc=True)]
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for server in servers:
                health, slots, waiting, _ = _keys(server)
                pipe.hgetall(health)
                pipe.zcard(slots)
                pipe.zcard(waiting)
            (seconds, _), *found = await pipe.execute()
        now = from_ms(int(seconds) * 1000)
        rows = zip(servers, found[::3], found[1::3], found[2::3], strict=True)
        return [_state(*row, now=now) for row in rows]


@lru_cache(maxsize=4096)
def _server(endpoint: str) -> str:
    try:
        return server_of(endpoint)
    except InvalidWebhook:
        # Its attempt will say so.
        return "none"


def _keys(server: str) -> tuple[str, str, str, str]:
    return (
        key(f"endpoint:{server}"),
        key(f"endpoint_slots:{server}"),
        key(f"endpoint_waiting:{server}"),
        due_key(Lane.DELIVERIES),
    )


def _state(
    server: str, health: Mapping[str, str], under_way: int, waiting: int, *, now: datetime
) -> EndpointState:
    status = BreakerStatus.HALF_OPEN if "probe" in health else BreakerStatus.OPEN
    opened_at, probe_at = health.get("opened_at"), health.get("probe_at")
    is_recent = now - from_ms(health.get("window_at", 0)) < 2 * WINDOW
    return EndpointState(
        server=server,
        status=status if opened_at else BreakerStatus.CLOSED,
        answered=_sum(health, "answered", "answered_before") if is_recent else 0,
        failed=_sum(health, "failed", "failed_before") if is_recent else 0,
        under_way=under_way,
        waiting=waiting,
        opened_at=from_ms(opened_at) if opened_at else None,
        probe_at=from_ms(int(float(probe_at))) if opened_at and probe_at else None,
    )


def _sum(health: Mapping[str, str], *names: str) -> int:
    return sum(int(health.get(name, 0)) for name in names)
