"""The due index: what is to be done, when, and who has it.

Every unfinished generation and delivery has exactly one entry in one lane; what is ready to be
submitted waits in its origin's line besides, and its entry is its deadline. ``claim`` takes
what is due, and next in line, for the length of a lease, ``take`` makes a claim one's own,
``settle`` writes the outcome and the next due time in one step. The scripts in ``lua/``
document the keys.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from redis.asyncio import Redis

from generations import breaker, line, poison
from generations.auditing import Audit, Audited
from generations.breaker import (
    BREAKER,
    BREAKER_FAILURES,
    CALLS,
    LONGEST_PROBE_INTERVAL,
    PROBE_INTERVAL,
    UNCALLED_PAGE,
)
from generations.claimed import SUSPECT_TAKES, Claim, Unsettled, new_fence, new_guard
from generations.connection import PREFIX, key, load_script, reaching_store
from generations.indexes import UNFINISHED, due_key
from generations.limits import UNLIMITED, UpstreamLimits
from generations.logs import logger
from generations.metrics import CLAIMS, DUE_LAG, LEASE_EXPIRIES, STALE_CLAIMS
from generations.model import Delivery, Generation
from generations.poison import AFTER_DEATH, POISON_DEATHS, SUSPECTS
from generations.records import Fields, from_ms, in_ms, read_delivery, read_generation
from generations.settling import Settling
from generations.steps import Lane
from generations.upstream import Gaps

__all__ = [
    "AFTER_DEATH",
    "BREAKER",
    "BREAKER_FAILURES",
    "LONGEST_PROBE_INTERVAL",
    "POISON_DEATHS",
    "PROBE_INTERVAL",
    "SUSPECTS",
    "SUSPECT_TAKES",
    "UNCALLED_PAGE",
    "UNFINISHED",
    "Audited",
    "Claim",
    "DueIndex",
    "Unsettled",
    "due_key",
    "new_fence",
    "new_guard",
]

log = logger(__name__)

_R = TypeVar("_R")


def _readable(
    claim: Claim, fields: Fields, read: Callable[[str, Fields], _R]
) -> list[tuple[Claim, _R]]:
    # One record that cannot be read must not hide the others of its chunk: it is taken again
    # when its lease ends, and set aside in the end.
    try:
        return [(claim, read(claim.id, fields))]
    except (KeyError, ValueError, TypeError):
        log.exception("record.unreadable", id=claim.id)
        return []


class DueIndex(Settling):
    """Claims, and the steps that end them."""

    def __init__(
        self, redis: Redis, *, keep: timedelta, upstream: UpstreamLimits = UNLIMITED
    ) -> None:
        super().__init__(redis, keep=keep, upstream=upstream)
        self._redis = redis
        self._claim = load_script(redis, "line", "pace", "stretch", "claim")
        self._take = load_script(redis, "line", "pace", "take")
        self._audit = Audit(redis)
        self.gaps = Gaps()
        #: By how much gaps between polls are to be longer than they would be (stretch.lua).
        self.stretch = 1.0

    @reaching_store
    async def claim(
        self, limits: Mapping[Lane, int], *, lease: timedelta, suspects: int = SUSPECTS
    ) -> list[Claim]:
        """What is due now, at most so many of each lane; safe from any number of callers.

        What is not taken within the lease can be claimed again. At most so many suspects, over
        all lanes, are among it.
        """
        lanes = list(limits)
        stretch, *found = await self._claim(
            keys=[BREAKER, due_key(Lane.POLLS), *(due_key(lane) for lane in lanes)],
            args=[
                in_ms(lease),
                PREFIX,
                BREAKER_FAILURES,
                in_ms(PROBE_INTERVAL),
                in_ms(LONGEST_PROBE_INTERVAL),
                UNCALLED_PAGE,
                SUSPECT_TAKES,
                suspects,
                *self._upstream.args,
                *self.gaps.take(),
                *(part for lane, n in limits.items() for part in (n, CALLS[lane])),
            ],
        )
        self.stretch = float(stretch)
        for lane, flat in zip(lanes, found, strict=True):
            _count(lane, flat)
        return [
            Claim(lane=lane, id=flat[i], fence=int(flat[i + 1]), takes=int(flat[i + 2]))
            for lane, flat in zip(lanes, found, strict=True)
            for i in range(0, len(flat), 4)
        ]

    async def take_generations(
        self, claims: Sequence[Claim], *, lease: timedelta
    ) -> list[tuple[Claim, Generation]]:
        """The claims that still hold, now one's own for a lease, with what they are about."""
        return await self._take_records(claims, lease, read_generation)

    async def take_deliveries(
        self, claims: Sequence[Claim], *, lease: timedelta
    ) -> list[tuple[Claim, Delivery]]:
        """As :meth:`take_generations`, for the lane of deliveries."""
        return await self._take_records(claims, lease, read_delivery)

    async def take_alone(
        self, claim: Claim, *, fence: int, lease: timedelta
    ) -> tuple[Claim, Generation | Delivery] | None:
        """Make one claim one's own under a fence that another process chose; None where it is lost.

        Raises whatever its record raises when it is read.
        """
        for mine, fields in await self._take_fields([claim], fence, lease):
            if claim.lane is Lane.DELIVERIES:
                return mine, read_delivery(claim.id, fields)
            return mine, read_generation(claim.id, fields)
        return None

    async def _take_records(
        self, claims: Sequence[Claim], lease: timedelta, read: Callable[[str, Fields], _R]
    ) -> list[tuple[Claim, _R]]:
        if not claims:
            return []
        found = await self._take_fields(claims, new_fence(), lease)
        return [pair for claim, fields in found for pair in _readable(claim, fields, read)]

    @reaching_store
    async def _take_fields(
        self, claims: Sequence[Claim], fence: int, lease: timedelta
    ) -> list[tuple[Claim, Fields]]:
        lane = claims[0].lane
        _, rate = self._upstream.args
        now, found, waits = await self._take(
            keys=[due_key(lane), *(key(claim.id) for claim in claims)],
            args=[
                in_ms(lease),
                fence,
                SUSPECT_TAKES,
                CALLS[lane],
                rate,
                PREFIX,
                *(v for claim in claims for v in (claim.id, claim.fence)),
            ],
        )
        at = from_ms(now)
        STALE_CLAIMS.labels(claims[0].lane).inc(sum(not flat for flat in found))
        taken = [
            (replace(claim, fence=fence, taken_at=at, call_in=_wait(wait_us)), _fields(flat))
            for claim, flat, wait_us in zip(claims, found, waits, strict=True)
        ]
        return [
            (replace(claim, origin=fields.get("origin", "")), fields)
            for claim, fields in taken
            if fields
        ]

    async def note_death(self, claim: Claim) -> None:
        """As :func:`poison.note_death`."""
        await poison.note_death(self._redis, self, claim)

    async def report(self, *, answered: bool, failures: int) -> None:
        """As :func:`breaker.report`."""
        await breaker.report(self._redis, answered=answered, failures=failures)

    async def audit(self, *, submitting: timedelta, longest: Mapping[Lane, timedelta]) -> Audited:
        """As :meth:`Audit.run`."""
        return await self._audit.run(submitting=submitting, longest=longest)

    async def is_my_turn(self, name: str, *, interval: timedelta) -> bool:
        """As :meth:`Audit.is_my_turn`."""
        return await self._audit.is_my_turn(name, interval=interval)

    async def places_in_line(self, generations: Sequence[Generation]) -> list[int]:
        """As :func:`line.places_in_line`."""
        return await line.places_in_line(self._redis, generations)


def _wait(wait_us: int) -> timedelta:
    return timedelta(microseconds=wait_us)


def _count(lane: Lane, flat: Sequence[Any]) -> None:
    if not flat:
        return
    CLAIMS.labels(lane).inc(len(flat) // 4)
    LEASE_EXPIRIES.labels(lane).inc(sum(int(takes) > 0 for takes in flat[2::4]))
    lag = DUE_LAG.labels(lane)
    for late_ms in flat[3::4]:
        lag.observe(late_ms / 1000)


def _fields(flat: Sequence[str] | Mapping[str, str]) -> Fields:
    if isinstance(flat, Mapping):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=True))
