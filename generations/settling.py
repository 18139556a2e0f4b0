"""Settling: a step is written to its record and to the due index, all of it or nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from generations.claimed import Claim, Unsettled, new_fence
from generations.connection import PREFIX, Redis, key, load_script, reaching_store
from generations.errors import StoreUnavailable
from generations.ids import DELIVERY, EVENT, new_id
from generations.indexes import (
    UNFINISHED,
    deliveries_key,
    due_key,
    exhausted_key,
)
from generations.lifecycle import (
    IN_FLIGHT,
    AnyStatus,
    DeliveryStatus,
    Status,
    allowed_before,
    is_finished,
)
from generations.limits import UNLIMITED, UpstreamLimits
from generations.metrics import (
    DELIVERIES,
    DELIVERY_SECONDS,
    FAILURES,
    FENCED_SETTLES,
    MOVES,
    OTHER_MODEL,
    STATUS_SECONDS,
)
from generations.model import ATTEMPTS_KEPT
from generations.moves import CHANNEL
from generations.records import dump_json, in_ms, write_attempt, write_field
from generations.steps import Lane, NewDelivery, Step

#: What is indexed by its creation is finished after so long, at the latest.
LONGEST_ON_ITS_WAY: Final = timedelta(days=7)
#: Seconds between two tries of a patient settle.
AWAY_INTERVAL: Final = 0.1
#: RunComfy's word on a cancel: told to whoever waits for it, as a move is.
CANCEL_OUTCOME: Final = "cancel_outcome"


class Settling:
    """The steps that end claims."""

    def __init__(
        self, redis: Redis, *, keep: timedelta, upstream: UpstreamLimits = UNLIMITED
    ) -> None:
        self._settle = load_script(redis, "line", "pace", "settle")
        self._keep = keep
        self._upstream = upstream

    async def settle(self, claim: Claim, step: Step, *, is_patient: bool = False) -> Claim | None:
        """Write a step's outcome; the claim to go on with, or None where it was lost.

        A lost claim changes nothing: somebody else has the record now, or it is finished.

        Args:
            is_patient: while the store is away, ask again until it is back. Whoever calls
                this bounds it: the claim may be lost meanwhile.
        """
        settled = await self.try_settle(claim, step, is_patient=is_patient)
        return settled if isinstance(settled, Claim) else None

    async def try_settle(
        self, claim: Claim, step: Step, *, is_patient: bool = False
    ) -> Claim | Unsettled:
        """As :meth:`settle`, for a step that needs room with RunComfy."""
        fence = new_fence()
        told = {"fence": str(claim.fence), "next_fence": str(fence)}
        while True:
            try:
                outcome, _, wait_us = await self.apply_timed(
                    claim.id, claim.lane, step, told, origin=claim.origin
                )
            except StoreUnavailable:
                if not is_patient:
                    raise
                await asyncio.sleep(AWAY_INTERVAL)
            else:
                break
        if outcome != "settled":
            return Unsettled.IN_LINE if outcome == "full" else Unsettled.LOST
        lane = step.due.lane if step.due else claim.lane
        return replace(claim, fence=fence, lane=lane, call_in=timedelta(microseconds=wait_us))

    async def apply(
        self, record_id: str, lane: Lane, step: Step, guard: Mapping[str, Any], *, origin: str
    ) -> tuple[str, str]:
        """Apply a step under a guard (fields of ``settle.lua``); its outcome and the status."""
        outcome, status, _ = await self.apply_timed(record_id, lane, step, guard, origin=origin)
        return outcome, status

    @reaching_store
    async def apply_timed(
        self, record_id: str, lane: Lane, step: Step, guard: Mapping[str, Any], *, origin: str
    ) -> tuple[str, str, int]:
        """As :meth:`apply`, with how long the call has to wait that the step asked for (µs)."""
        delivery_id = new_id(DELIVERY) if step.tell else ""
        message = {**self._written(record_id, step, delivery_id), **guard}
        next_lane = step.due.lane if step.due else lane
        outcome, status, wait_us, *left = await self._settle(
            keys=[
                key(record_id),
                due_key(lane),
                due_key(next_lane),
                due_key(Lane.DELIVERIES),
                key(delivery_id),
                UNFINISHED,
                deliveries_key(),
                deliveries_key(origin),
                exhausted_key(),
                exhausted_key(origin),
            ],
            args=[PREFIX, origin, dump_json(message)],
        )
        if left:
            _count_move(step, *left)
        elif outcome == "fenced":
            FENCED_SETTLES.labels(lane).inc()
        return outcome, status, wait_us

    def _written(self, record_id: str, step: Step, delivery_id: str) -> dict[str, Any]:
        written: dict[str, Any] = {
            "id": record_id,
            "set": {name: write_field(name, value) for name, value in step.set.items()},
            "add": dict(step.add),
            "stamp": list(step.stamp),
            "tally": dict(step.tally),
            "append": {"attempts": write_attempt(step.attempt)} if step.attempt else {},
            "keep_lines": ATTEMPTS_KEPT,
        }
        if allowed := _may_be_in(step):
            written["from"] = dict.fromkeys(allowed, True)
        if step.to:
            written["to"] = step.to
            if isinstance(step.to, Status):
                written["is_in_flight"] = step.to in IN_FLIGHT
            if is_finished(step.to):
                written["keep_ms"] = in_ms(self._keep)
        if step.to or CANCEL_OUTCOME in step.set:
            written["channel"] = CHANNEL
        if step.to is Status.SUBMITTING:
            written |= self._upstream.as_room()
        written |= _waits(step)
        if step.cancel_known:
            written["cancel_known"] = True
        if step.tell:
            written["delivery"] = _new_delivery(record_id, delivery_id, step.tell)
            written["index_ms"] = in_ms(index_time(self._keep))
        return written


def _waits(step: Step) -> dict[str, int]:
    waits = {"due_ms": step.due.delay if step.due else None, "pause_ms": step.pause}
    return {name: in_ms(wait) for name, wait in waits.items() if wait is not None}


def index_time(keep: timedelta) -> timedelta:
    """How long an index of creation keeps an entry: as long as its record, and longer."""
    return LONGEST_ON_ITS_WAY + keep


def _count_move(step: Step, left: str, spent_ms: int, model: str) -> None:
    if isinstance(step.to, DeliveryStatus):
        DELIVERIES.labels(step.to).inc()
        if step.to is DeliveryStatus.DELIVERED:
            DELIVERY_SECONDS.observe(spent_ms / 1000)
        return
    MOVES.labels(step.to, model or OTHER_MODEL).inc()
    STATUS_SECONDS.labels(left).observe(spent_ms / 1000)
    if step.to is Status.FAILED and (error := step.set.get("error")):
        FAILURES.labels(error.code).inc()


def _may_be_in(step: Step) -> frozenset[AnyStatus]:
    if step.only_from or step.to is None:
        return step.only_from
    return allowed_before(step.to) | {step.to}


def _new_delivery(generation_id: str, delivery_id: str, tell: NewDelivery) -> dict[str, Any]:
    return {
        "id": delivery_id,
        "fields": {
            "generation_id": generation_id,
            "origin": tell.origin,
            "event_id": new_id(EVENT),
            "endpoint": tell.endpoint or "",
            "told": tell.told,
        },
    }
