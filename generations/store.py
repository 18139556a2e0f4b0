"""Generations and deliveries on record: accept, find, list, cancel. Times are Redis's own."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis

from generations.connection import fsync_of, key, load_script, reaching_store, read_hash
from generations.due import UNFINISHED, DueIndex, due_key, new_guard
from generations.durability import Finding, judge_server
from generations.errors import GenerationNotFound, IdempotencyConflict
from generations.ids import GENERATION, is_id
from generations.lifecycle import Status, allowed_to_reopen, is_finished
from generations.model import Delivery, ErrorCode, Generation, NewGeneration
from generations.records import (
    Fields,
    as_accepted,
    dump_json,
    in_ms,
    read_delivery,
    read_generation,
    to_ms,
    write_new_generation,
)
from generations.steps import Due, Lane, Step, finish

INDEX: Final = key("generations")
SCAN_PAGE: Final = 200
#: The longest deadline that may be asked for.
LONGEST_DEADLINE: Final = timedelta(days=7)
#: How long an idempotency key is remembered.
IDEMPOTENCY_KEPT: Final = timedelta(hours=24)


class CancelAnswer(StrEnum):
    """What became of a request to cancel."""

    CANCELLED = "cancelled"  #: It is cancelled and was never submitted.
    REQUESTED = "requested"  #: A worker asks RunComfy; the record will say what came of it.
    FINISHED = "finished"  #: It had finished; nothing changed.


class GenerationStore:
    """Records of generations and deliveries. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, deadline: timedelta, keep: timedelta) -> None:
        self._redis = redis
        self._accept = load_script(redis, "accept")
        self._due = DueIndex(redis, keep=keep)
        self._deadline = deadline
        self._keep = keep

    @reaching_store
    async def accept(self, new: NewGeneration, *, idempotency_key: str | None = None) -> Generation:
        """Put a generation on record, due now. The same id again changes nothing.

        With a key that the origin used before for the same, what was accepted then is
        returned, under its own id and as it was then.

        Raises:
            IdempotencyConflict: the key was used before for something else.
        """
        fields = write_new_generation(new)
        deadline = in_ms(new.deadline or self._deadline)
        keys = [
            key(new.id),
            due_key(Lane.SUBMISSIONS),
            UNFINISHED,
            INDEX,
            _origin_index(new.origin),
        ]
        if idempotency_key is not None:
            keys.append(_idempotency_key(new.origin, idempotency_key))
        outcome, accepted_id, accepted_ms = await self._accept(
            keys=keys,
            args=[
                new.id,
                deadline,
                in_ms(LONGEST_DEADLINE + self._keep),
                _fingerprint(fields, deadline),
                in_ms(IDEMPOTENCY_KEPT),
                *(part for pair in fields.items() for part in pair),
            ],
        )
        if outcome == "conflict":
            raise IdempotencyConflict
        return read_generation(accepted_id, as_accepted(fields, int(accepted_ms), deadline))

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

    @reaching_store
    async def find_deliveries(self, generation: Generation) -> list[Delivery]:
        """Its deliveries, the oldest first."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for delivery_id in generation.delivery_ids:
                pipe.hgetall(key(delivery_id))
            found = await pipe.execute()
        pairs = zip(generation.delivery_ids, found, strict=True)
        return [read_delivery(delivery_id, fields) for delivery_id, fields in pairs if fields]

    async def newest(
        self, *, origin: str | None = None, page: int = SCAN_PAGE
    ) -> AsyncGenerator[Generation, None]:
        """Generations from the newest to the oldest, read page by page as they are asked for."""
        last: str | None = None
        while ids := await self._page(origin, last, page):
            for generation in await self._read_many(ids):
                yield generation
            last = ids[-1]

    @reaching_store
    async def _page(self, origin: str | None, last: str | None, size: int) -> Sequence[str]:
        index = _origin_index(origin) if origin else INDEX
        # By its rank now: what was accepted since the last page has moved it.
        rank = -1 if last is None else await self._redis.zrevrank(index, last)
        if not isinstance(rank, int):
            return []  # Its time is over, and that of all that are older.
        start = rank + 1
        ids = await self._redis.zrevrange(index, start, start + size - 1)
        return [str(generation_id) for generation_id in ids]

    @reaching_store
    async def _read_many(self, ids: Sequence[str]) -> list[Generation]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for generation_id in ids:
                pipe.hgetall(key(generation_id))
            found = await pipe.execute()
        # A record may have expired before its index entry.
        return [read_generation(i, fields) for i, fields in zip(ids, found, strict=True) if fields]

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
            outcome, status = await self._due.apply(generation.id, Lane.SUBMISSIONS, step, guard)
            if outcome == "settled":
                return CancelAnswer.CANCELLED
            if outcome == "missing" or is_finished(Status(status)):
                return CancelAnswer.FINISHED
        return await self._request_cancel(generation.id)

    async def _request_cancel(self, generation_id: str) -> CancelAnswer:
        step = Step(
            due=Due(Lane.POLLS),
            stamp=("cancel_requested_at",),
            # QUEUED again: a submission that was proved not sent. Its next try sees the wish.
            only_from=frozenset(status for status in Status if not is_finished(status)),
        )
        guard = {"only_due": True}
        outcome, _ = await self._due.apply(generation_id, Lane.POLLS, step, guard)
        return CancelAnswer.REQUESTED if outcome == "settled" else CancelAnswer.FINISHED

    async def resubmit(self, generation: Generation) -> bool:
        """Have a failed, uncertain submission made once more; False where it is not uncertain."""
        facts = {"possible_duplicate_charge": "1", "failures": "0"}
        return await self._reopen(generation, Status.QUEUED, Lane.SUBMISSIONS, facts)

    async def adopt(self, generation: Generation, runcomfy_request_id: str) -> bool:
        """Go on with what RunComfy accepted after all; False where it is not uncertain."""
        facts = {"runcomfy_request_id": runcomfy_request_id}
        return await self._reopen(generation, Status.IN_QUEUE, Lane.POLLS, facts)

    async def _reopen(
        self, generation: Generation, to: Status, lane: Lane, facts: Mapping[str, str]
    ) -> bool:
        if generation.error is None or generation.error.code != ErrorCode.SUBMISSION_UNCERTAIN:
            return False
        step = Step(
            to=to,
            due=Due(lane),
            # The time that it was left alone does not count against it.
            set={**facts, "error": None, "deadline": to_ms(datetime.now(UTC) + self._deadline)},
            only_from=allowed_to_reopen(to),
        )
        outcome, _ = await self._due.apply(generation.id, lane, step, new_guard())
        return outcome == "settled"

    @reaching_store
    async def place_in_line(self, generation: Generation) -> int:
        """How many submissions are due before a queued one, itself counted (so at least 1)."""
        return await self._due.place_in_line(generation.id, to_ms(generation.created_at))

    @reaching_store
    async def examine(self) -> list[Finding]:
        """Whether the server keeps what is accepted, as far as it tells."""
        facts = await self._redis.info()
        return judge_server(facts, await fsync_of(self._redis))


def _idempotency_key(origin: str, idempotency_key: str) -> str:
    return key(f"idempotency:{origin}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}")


def _fingerprint(fields: Fields, deadline_ms: int) -> str:
    asked = dump_json([dict(fields), deadline_ms])
    return hashlib.sha256(asked.encode()).hexdigest()


def _origin_index(origin: str) -> str:
    return f"{INDEX}:{origin}"
