"""The due index: what is to be done, when, and who has it.

Every unfinished generation and delivery has exactly one entry in one lane. ``claim`` takes
what is due for the length of a lease, ``take`` makes a claim one's own, ``settle`` writes
the outcome and the next due time in one step. The scripts in ``lua/`` document the keys.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import add
from typing import Any, Final, TypeVar

from redis.asyncio import Redis

from generations.connection import PREFIX, key, load_script, reaching_store
from generations.errors import StoreUnavailable
from generations.ids import DELIVERY, EVENT, new_id
from generations.indexes import (
    ORIGINS,
    in_flight_key,
    origin_key,
    parked_key,
    unfinished_key,
)
from generations.lifecycle import (
    IN_FLIGHT,
    AnyStatus,
    DeliveryStatus,
    Status,
    allowed_before,
    is_finished,
)
from generations.logs import logger
from generations.model import Delivery, ErrorCode, Generation, GenerationError
from generations.moves import CHANNEL
from generations.records import (
    Fields,
    dump_json,
    from_ms,
    in_ms,
    read_delivery,
    read_generation,
    to_ms,
    write_attempt,
    write_field,
)
from generations.steps import Due, Lane, NewDelivery, Step

NEVER: Final = datetime.min.replace(tzinfo=UTC)
UNFINISHED: Final = key("unfinished")
BREAKER: Final = key("breaker")
#: How many ids one call of the audit's script looks at, so that it holds nobody up.
AUDIT_PAGE: Final = 500
#: Seconds between two tries of a patient settle.
AWAY_INTERVAL: Final = 0.1
#: Calls to RunComfy that fail in a row, over all workers, until only probes are let through.
BREAKER_FAILURES: Final = 10
PROBE_INTERVAL: Final = timedelta(seconds=2)
#: How long at most between them where there is nothing to poll, so that a submission has to be
#: risked: each waits twice as long as the one before.
LONGEST_PROBE_INTERVAL: Final = timedelta(minutes=1)
#: While only probes are let through, how many of a lane one claim looks through for what ends
#: without a call.
UNCALLED_PAGE: Final = 200
#: How long at most a parked generation is not looked at. It need not be: whatever makes room
#: for it makes it due.
PARKED: Final = timedelta(minutes=10)
#: What the actions of a lane are to RunComfy, in the words of ``claim.lua``.
CALLS: Final = {Lane.SUBMISSIONS: "submission", Lane.POLLS: "poll", Lane.DELIVERIES: "none"}

#: Taken so often without a settle, a record may be what brings its workers down, or its
#: neighbour was, or they were killed: from then on it is worked on alone.
SUSPECT_TAKES: Final = 3
#: Dead of it so often, alone and seen to be, and it is set aside.
POISON_DEATHS: Final = 3
#: How long a death is let be, so that what killed several in a row (a machine short of memory,
#: say) is not taken for the record's doing.
AFTER_DEATH: Final = timedelta(seconds=10)
#: How many suspects one claim takes at most, unless told otherwise.
SUSPECTS: Final = 20
SET_ASIDE: Final = (
    "Darkroom could not work on this generation and has set it aside; its operator was told."
)

#: RunComfy's word on a cancel: told to whoever waits for it, as a move is.
CANCEL_OUTCOME: Final = "cancel_outcome"

log = logger(__name__)

_R = TypeVar("_R")


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


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to act on one record until its lease ends."""

    lane: Lane
    id: str
    fence: int
    #: Whose the record is; known once the claim is taken.
    origin: str = ""
    #: When it was taken. On Redis's clock, as every instant on record: a worker's own may be
    #: hours off, and says nothing about a deadline.
    taken_at: datetime = NEVER
    #: How often it had been taken without a settle when it was claimed.
    takes: int = 0

    @property
    def is_suspect(self) -> bool:
        """Whether it is to be worked on alone, by a process that may die of it."""
        return self.takes >= SUSPECT_TAKES


class Unsettled(StrEnum):
    """Why a step was not written."""

    LOST = "lost"  #: Somebody else has the record now, or it is finished.
    #: Its origin has as much with RunComfy as it may: it is due again when that has changed.
    PARKED = "parked"


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


def due_key(lane: Lane) -> str:
    """The sorted set of one lane."""
    return key(f"due:{lane}")


class DueIndex:
    """Claims, and the steps that end them."""

    def __init__(self, redis: Redis, *, keep: timedelta) -> None:
        self._claim = load_script(redis, "claim")
        self._audit = load_script(redis, "audit")
        self._take = load_script(redis, "take")
        self._settle = load_script(redis, "room", "settle")
        self._sweep = load_script(redis, "sweep")
        self._let_go = load_script(redis, "room", "limit")
        self._redis = redis
        self._keep = keep

    @reaching_store
    async def claim(
        self, limits: Mapping[Lane, int], *, lease: timedelta, suspects: int = SUSPECTS
    ) -> list[Claim]:
        """What is due now, at most so many of each lane; safe from any number of callers.

        What is not taken within the lease can be claimed again. At most so many suspects, over
        all lanes, are among it.
        """
        lanes = list(limits)
        found = await self._claim(
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
                *(part for lane, n in limits.items() for part in (n, CALLS[lane])),
            ],
        )
        return [
            Claim(lane=lane, id=flat[i], fence=int(flat[i + 1]), takes=int(flat[i + 2]))
            for lane, flat in zip(lanes, found, strict=True)
            for i in range(0, len(flat), 3)
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
        now, found = await self._take(
            keys=[due_key(claims[0].lane), *(key(claim.id) for claim in claims)],
            args=[
                in_ms(lease),
                fence,
                SUSPECT_TAKES,
                *(v for claim in claims for v in (claim.id, claim.fence)),
            ],
        )
        at = from_ms(now)
        taken = [(claim, _fields(flat)) for claim, flat in zip(claims, found, strict=True)]
        return [
            (replace(claim, fence=fence, origin=fields.get("origin", ""), taken_at=at), fields)
            for claim, fields in taken
            if fields
        ]

    @reaching_store
    async def note_death(self, claim: Claim) -> None:
        """Whoever took this claim alone, under its fence, died of it, if it was not settled.

        It is due again after a while, or set aside in the end.
        """
        # Read no more of the record than is needed: reading it may be what it died of.
        names = ("fence", "origin", "webhook", "generation_id")
        values = await self._redis.hmget(key(claim.id), *names)
        fields = {name: str(value or "") for name, value in zip(names, values, strict=True)}
        claim = replace(claim, origin=fields["origin"])
        if fields["fence"] != str(claim.fence):
            return
        if claim.takes + 1 >= SUSPECT_TAKES + POISON_DEATHS:
            await self._set_aside(claim, fields)
            return
        guard = {"fence": str(claim.fence), "next_fence": str(new_fence()), "died": True}
        step = Step(due=Due(claim.lane, AFTER_DEATH))
        await self.apply(claim.id, claim.lane, step, guard, origin=claim.origin)

    async def _set_aside(self, claim: Claim, fields: Fields) -> None:
        log.error("record.set_aside", id=claim.id)
        if claim.lane is Lane.DELIVERIES:
            await self._set_delivery_aside(claim, fields)
            return
        endpoint, origin = fields["webhook"], claim.origin
        error = GenerationError(ErrorCode.INTERNAL, SET_ASIDE)
        step = Step(
            to=Status.FAILED,
            due=None,
            set={"error": error, "set_aside": "1"},
            tell=NewDelivery(endpoint, Status.FAILED, origin) if endpoint and origin else None,
        )
        await self.settle(claim, step)

    async def _set_delivery_aside(self, claim: Claim, fields: Fields) -> None:
        aside = {"set_aside": "1"}
        if generation_id := fields["generation_id"]:
            # First of all, so that a death in between leaves the delivery to be set aside again.
            mark = Step(due=None, set=aside)
            await self.apply(generation_id, claim.lane, mark, {}, origin=claim.origin)
        await self.settle(claim, Step(to=DeliveryStatus.EXHAUSTED, due=None, set=aside))

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
                outcome, _ = await self.apply(claim.id, claim.lane, step, told, origin=claim.origin)
            except StoreUnavailable:
                if not is_patient:
                    raise
                await asyncio.sleep(AWAY_INTERVAL)
            else:
                break
        if outcome != "settled":
            return Unsettled.PARKED if outcome == "full" else Unsettled.LOST
        return replace(claim, fence=fence, lane=step.due.lane if step.due else claim.lane)

    @reaching_store
    async def apply(
        self, record_id: str, lane: Lane, step: Step, guard: Mapping[str, Any], *, origin: str
    ) -> tuple[str, str]:
        """Apply a step under a guard (fields of ``settle.lua``); its outcome and the status."""
        delivery_id = new_id(DELIVERY) if step.tell else ""
        message = {**self._written(record_id, step, delivery_id), **guard}
        next_lane = step.due.lane if step.due else lane
        outcome, status = await self._settle(
            keys=[
                key(record_id),
                due_key(lane),
                due_key(next_lane),
                due_key(Lane.DELIVERIES),
                key(delivery_id),
                UNFINISHED,
                origin_key(origin),
                unfinished_key(origin),
                in_flight_key(origin),
                parked_key(origin),
                due_key(Lane.SUBMISSIONS),
            ],
            args=[dump_json(message)],
        )
        return outcome, status

    def _written(self, record_id: str, step: Step, delivery_id: str) -> dict[str, Any]:
        written: dict[str, Any] = {
            "id": record_id,
            "set": {name: write_field(name, value) for name, value in step.set.items()},
            "add": dict(step.add),
            "stamp": list(step.stamp),
            "append": {"attempts": write_attempt(step.attempt)} if step.attempt else {},
        }
        if allowed := _may_be_in(step):
            written["from"] = dict.fromkeys(allowed, True)
        if step.to:
            written["to"] = step.to
            if isinstance(step.to, Status):
                written["is_in_flight"] = step.to in IN_FLIGHT
            if is_finished(step.to):
                written["keep_ms"] = in_ms(self._keep)
        if isinstance(step.to, Status) or CANCEL_OUTCOME in step.set:
            written["channel"] = CHANNEL
        if step.due:
            written["due_ms"] = in_ms(step.due.delay)
        if step.to is Status.SUBMITTING:
            written["park_ms"] = in_ms(PARKED)
        if step.cancel_known:
            written["cancel_known"] = True
        if step.tell:
            written["delivery"] = _new_delivery(record_id, delivery_id, step.tell)
        return written

    @reaching_store
    async def report(self, *, answered: bool, failures: int) -> None:
        """Tell all workers how calls to RunComfy went: one answer closes the breaker."""
        if answered:
            await self._redis.delete(BREAKER)
        elif failures:
            await self._redis.hincrby(BREAKER, "failures", failures)

    @reaching_store
    async def audit(self, *, submitting: timedelta, longest: Mapping[Lane, timedelta]) -> Audited:
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
        for origin in await self._redis.smembers(ORIGINS):
            await self._audit_origin(str(origin))
        return total

    async def _audit_origin(self, origin: str) -> None:
        in_flight, parked = in_flight_key(origin), parked_key(origin)
        scans = {unfinished_key(origin): "SSCAN", in_flight: "SSCAN", parked: "ZSCAN"}
        for index, scan in scans.items():
            cursor = "0"
            while True:
                cursor, _ = await self._sweep(
                    keys=[UNFINISHED, index], args=[scan, cursor, AUDIT_PAGE]
                )
                if cursor == "0":
                    break
        await self._let_go(keys=[origin_key(origin), in_flight, parked, due_key(Lane.SUBMISSIONS)])

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

    @reaching_store
    async def places_in_line(self, generations: Sequence[Generation]) -> list[int]:
        """How many submissions are due before each, itself counted (so at least 1).

        Where one waits for room, how many of its origin's do that before it.
        """
        lane = due_key(Lane.SUBMISSIONS)
        async with self._redis.pipeline(transaction=True) as pipe:
            for generation in generations:
                pipe.zscore(lane, generation.id)
                pipe.zrank(lane, generation.id)
                pipe.zrank(parked_key(generation.origin), generation.id)
            found = await pipe.execute()
        rows = zip(generations, found[::3], found[1::3], found[2::3], strict=True)
        return [_place(generation, *row) for generation, *row in rows]


def _place(
    generation: Generation, score: float | None, rank: int | None, parked: int | None
) -> int:
    if parked is not None:
        return parked + 1
    # Another instant than its acceptance means that a worker has it, or had it, in hand.
    is_next_in_line = score is not None and int(score) == to_ms(generation.created_at)
    return (rank or 0) + 1 if is_next_in_line else 1


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
            "endpoint": tell.endpoint,
            "told": tell.told,
        },
    }


def new_guard() -> dict[str, str]:
    """For a step that is nobody's claim: known again when it is asked for again."""
    return {"next_fence": str(new_fence())}


def new_fence() -> int:
    """What a step may leave behind."""
    # Random, so that a step can be recognised when it is asked for again (see take.lua),
    # and below 2^53, so that Lua's numbers hold it and its successors.
    return random.getrandbits(48)  # noqa: S311  # Nobody gains by guessing it.


def _fields(flat: Sequence[str] | Mapping[str, str]) -> Fields:
    if isinstance(flat, Mapping):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=True))
