"""Generations and deliveries on record: accept, find, cancel. Times are Redis's own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from typing import Any, Final

from redis.asyncio import Redis

from generations.accepting import Accepts, Ask, Counted
from generations.connection import fsync_of, key, reaching_store, read_hash
from generations.due import DueIndex, new_guard
from generations.durability import Finding, judge_server
from generations.errors import GenerationNotFound, Refusal
from generations.ids import GENERATION, is_id
from generations.lifecycle import Status, allowed_to_reopen, is_finished
from generations.model import Delivery, ErrorCode, Generation, NewGeneration, PastEnd
from generations.records import in_ms, read_delivery, read_generation, write_timeline
from generations.steps import Due, Lane, Step, finish

#: Failures of which RunComfy may have a request all the same, under an id that only an
#: operator can find out.
ADOPTABLE: Final = frozenset(
    {ErrorCode.SUBMISSION_UNCERTAIN, ErrorCode.RESULT_UNAVAILABLE, ErrorCode.INTERNAL}
)


class CancelAnswer(StrEnum):
    """What became of a request to cancel."""

    CANCELLED = "cancelled"  #: It is cancelled and was never submitted.
    REQUESTED = "requested"  #: A worker asks RunComfy; the record will say what came of it.
    FINISHED = "finished"  #: It had finished; nothing changed.


class GenerationStore:
    """Records of generations and deliveries. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, deadline: timedelta, keep: timedelta) -> None:
        self._redis = redis
        self._accepts = Accepts(redis, deadline=deadline, keep=keep)
        self._due = DueIndex(redis, keep=keep)
        self._deadline = deadline

    async def accept(self, new: NewGeneration, *, idempotency_key: str | None = None) -> Generation:
        """As :meth:`accept_counted`, without the quotas."""
        accepted, _ = await self.accept_counted(new, idempotency_key=idempotency_key)
        return accepted

    async def accept_counted(
        self, new: NewGeneration, *, idempotency_key: str | None = None
    ) -> Counted:
        """Put a generation on record, due now. The same id again changes nothing.

        With a key that the origin used before for the same, what was accepted then is
        returned, under its own id and as it was then; that is never limited. With it comes
        what is left of the origin's limits, where it has some and this was new.

        Raises:
            IdempotencyConflict: the key was used before for something else.
            OverLimit: the origin is at a limit; nothing is stored, the key neither.
        """
        return await self._accepts.one(Ask(new, idempotency_key))

    async def accept_all(self, asks: Sequence[Ask]) -> list[Counted | Refusal]:
        """As :meth:`accept_counted`, of many in one round trip: what each returns, or raises.

        Where the store goes away meanwhile, some of them may be on record.
        """
        return await self._accepts.many(asks)

    async def find_replay(self, ask: Ask) -> Generation | None:
        """What was accepted before with this key, if for the same; nothing is stored."""
        return await self._accepts.find_replay(ask)

    async def promise_batch(self, origin: str, idempotency_key: str, asked: Any) -> None:
        """Note what a batch with this key asks for; asking for the same again is fine.

        Raises:
            IdempotencyConflict: it is not what it was.
        """
        await self._accepts.promise_batch(origin, idempotency_key, asked)

    @reaching_store
    async def find(self, generation_id: str, *, origin: str | None = None) -> Generation:
        """One generation; with an origin, only if it is that origin's.

        Raises:
            GenerationNotFound: there is none; another origin's counts as none.
        """
        # Other keys of Redis must not be reached by an id that is none.
        known = is_id(generation_id, GENERATION)
        fields = await read_hash(self._redis, key(generation_id)) if known else {}
        if "model_id" not in fields or origin not in {None, fields["origin"]}:
            raise GenerationNotFound
        return read_generation(generation_id, fields)

    async def find_deliveries(self, generation: Generation) -> list[Delivery]:
        """Its deliveries, the oldest first."""
        (found,) = await self.find_all_deliveries([generation])
        return found

    @reaching_store
    async def find_all_deliveries(self, generations: Sequence[Generation]) -> list[list[Delivery]]:
        """Each one's deliveries, the oldest first, in one round trip."""
        ids = [generation.delivery_ids for generation in generations]
        async with self._redis.pipeline(transaction=False) as pipe:
            for delivery_id in chain(*ids):
                pipe.hgetall(key(delivery_id))
            read = dict(zip(chain(*ids), await pipe.execute(), strict=True))
        return [[read_delivery(i, read[i]) for i in own if read[i]] for own in ids]

    async def cancel(self, generation: Generation) -> CancelAnswer:
        """Cancel at once what RunComfy was not told of; else have a worker ask RunComfy."""
        if generation.status is Status.QUEUED:
            finished = finish(generation, Status.CANCELLED, cancel_outcome="cancelled")
            step = replace(
                finished,
                only_from=frozenset({Status.QUEUED}),
                stamp=("cancel_requested_at",),
            )
            guard = {"next_fence": "0"}  # Whoever holds a claim on it holds it no more.
            outcome, status = await self._due.apply(
                generation.id, Lane.SUBMISSIONS, step, guard, origin=generation.origin
            )
            if outcome == "settled":
                return CancelAnswer.CANCELLED
            if outcome == "missing" or is_finished(Status(status)):
                return CancelAnswer.FINISHED
        return await self._request_cancel(generation)

    async def _request_cancel(self, generation: Generation) -> CancelAnswer:
        step = Step(
            due=Due(Lane.POLLS),
            stamp=("cancel_requested_at",),
            # QUEUED again: a submission that was proved not sent. Its next try sees the wish.
            only_from=frozenset(status for status in Status if not is_finished(status)),
        )
        guard = {"only_due": True}
        outcome, _ = await self._due.apply(
            generation.id, Lane.POLLS, step, guard, origin=generation.origin
        )
        return CancelAnswer.REQUESTED if outcome == "settled" else CancelAnswer.FINISHED

    async def resubmit(self, generation: Generation) -> bool:
        """Have a failed, uncertain submission made once more.

        False, and nothing changes, where it is not uncertain, or has moved since it was read.
        """
        if _failed_with(generation) is not ErrorCode.SUBMISSION_UNCERTAIN:
            return False
        facts = {"possible_duplicate_charge": "1", "failures": "0"}
        return await self._reopen(generation, Status.QUEUED, Lane.SUBMISSIONS, facts)

    async def adopt(self, generation: Generation, runcomfy_request_id: str) -> bool:
        """Go on with what RunComfy accepted, under whatever id it was looked for before.

        False, and nothing changes, where it did not fail for want of that (``ADOPTABLE``), or
        has moved since it was read.
        """
        if _failed_with(generation) not in ADOPTABLE:
            return False
        facts = {
            "runcomfy_request_id": runcomfy_request_id,
            "failures": "0",
            "misses": "0",
            "missing_since": None,
            "set_aside": None,
        }
        return await self._reopen(generation, Status.IN_QUEUE, Lane.POLLS, facts)

    @reaching_store
    async def _reopen(
        self, generation: Generation, to: Status, lane: Lane, facts: Mapping[str, str | None]
    ) -> bool:
        seconds, _ = await self._redis.time()
        # The time that it was left alone does not count against it.
        deadline = int(seconds) * 1000 + in_ms(self._deadline)
        past_ends = (*generation.past_ends, _end_of(generation))
        step = Step(
            to=to,
            due=Due(lane),
            set={**facts, "error": None, "deadline": deadline, "past_ends": past_ends},
            only_from=allowed_to_reopen(to),
        )
        # What failed again since it was read failed for another reason.
        guard = {**new_guard(), "having": {"timeline": write_timeline(generation.timeline)}}
        outcome, _ = await self._due.apply(
            generation.id, lane, step, guard, origin=generation.origin
        )
        return outcome == "settled"

    async def place_in_line(self, generation: Generation) -> int:
        """How many submissions are due before a queued one, itself counted (so at least 1)."""
        (place,) = await self.places_in_line([generation])
        return place

    async def places_in_line(self, generations: Sequence[Generation]) -> list[int]:
        """Each one's place in line, all at one instant."""
        return await self._due.places_in_line(generations)

    @reaching_store
    async def examine(self) -> list[Finding]:
        """Whether the server keeps what is accepted, as far as it tells."""
        facts = await self._redis.info()
        return judge_server(facts, await fsync_of(self._redis))


def _failed_with(generation: Generation) -> ErrorCode | None:
    return generation.error.code if generation.error else None


def _end_of(generation: Generation) -> PastEnd:
    return PastEnd(
        sequence=len(generation.timeline),
        error=generation.error,
        submissions=generation.submissions,
        possible_duplicate_charge=generation.possible_duplicate_charge,
    )
