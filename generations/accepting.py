"""Putting generations on record, one or many: what ``accept.lua`` is told, what it answers."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from redis.asyncio import Redis

from generations.connection import PREFIX, key, load_script, reaching_store, read_hash
from generations.due import UNFINISHED as ALL_UNFINISHED
from generations.due import due_key
from generations.errors import IdempotencyConflict, OverLimit, Refusal
from generations.indexes import origin_key, unfinished_key
from generations.limits import ACCEPTS, UNFINISHED, Quota, read_quotas
from generations.listing import index_of
from generations.model import Generation, NewGeneration
from generations.records import (
    Fields,
    as_accepted,
    dump_json,
    in_ms,
    read_generation,
    write_new_generation,
)
from generations.steps import Lane

#: The longest deadline that may be asked for.
LONGEST_DEADLINE: Final = timedelta(days=7)
#: How long an idempotency key is remembered.
IDEMPOTENCY_KEPT: Final = timedelta(hours=24)
#: Fields that say nothing of what is asked for.
NOT_ASKED_FOR: Final = frozenset({"schema", "traceparent", "tracestate"})
#: What an origin is told that is over a limit.
OVER: Final[Mapping[str, str]] = {
    ACCEPTS: "The origin asks for more generations a second than it may; wait a moment.",
    UNFINISHED: "The origin has as many unfinished generations as it may; wait until some end.",
}

#: What was accepted, and what is left of the origin's limits, where it has some and this is new.
Counted = tuple[Generation, tuple[Quota, ...]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A generation to be accepted, and its origin's promise that it is asked for once."""

    new: NewGeneration
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the script, and how to read what it answers."""

    fields: Fields
    deadline_ms: int
    keys: list[str]
    args: list[Any]

    def read(self, answer: Sequence[Any]) -> Counted:
        """What was accepted, or the Refusal, raised."""
        outcome, accepted_id, accepted_ms, *found = answer
        quotas = read_quotas(found)
        if outcome == "conflict":
            raise IdempotencyConflict
        if outcome in OVER:
            raise OverLimit(OVER[outcome], quotas=quotas)
        accepted = as_accepted(self.fields, int(accepted_ms), self.deadline_ms)
        return read_generation(accepted_id, accepted), quotas

    def settled(self, answer: Sequence[Any]) -> Counted | Refusal:
        """As :meth:`read`, with the Refusal returned."""
        try:
            return self.read(answer)
        except Refusal as refusal:
            return refusal


class Accepts:
    """The calls of ``accept.lua``. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, deadline: timedelta, keep: timedelta) -> None:
        self._redis = redis
        self._script = load_script(redis, "line", "accept")
        self._deadline = deadline
        self._keep = keep

    @reaching_store
    async def one(self, ask: Ask) -> Counted:
        """What was accepted; raises the Refusal where it was not."""
        call = self._call(ask)
        return call.read(await self._script(keys=call.keys, args=call.args))

    @reaching_store
    async def many(self, asks: Sequence[Ask]) -> list[Counted | Refusal]:
        """What became of each, in order. Where the store goes away, some may be on record."""
        calls = [self._call(ask) for ask in asks]
        asked = (self._script(keys=call.keys, args=call.args) for call in calls)
        answers = await asyncio.gather(*asked)
        return [call.settled(answer) for call, answer in zip(calls, answers, strict=True)]

    @reaching_store
    async def find_replay(self, ask: Ask) -> Generation | None:
        """What its key was used for, if that was the same; None where it was not used so."""
        if ask.idempotency_key is None:
            return None
        fields, deadline = write_new_generation(ask.new), self._deadline_of(ask.new)
        used = await read_hash(self._redis, _promise(ask.new.origin, ask.idempotency_key))
        if used.get("fingerprint") != _fingerprint(fields, deadline):
            return None
        return read_generation(used["id"], as_accepted(fields, int(used["accepted_at"]), deadline))

    @reaching_store
    async def promise_batch(self, origin: str, idempotency_key: str, asked: Any) -> None:
        """Note what a batch with this key asks for; asking for the same again is fine.

        Raises:
            IdempotencyConflict: the key's batch asked for something else before.
        """
        fingerprint = _hash(dump_json(asked))
        before = await self._redis.set(
            key(f"idempotency-batch:{origin}:{_hash(idempotency_key)}"),
            fingerprint,
            nx=True,
            get=True,
            px=in_ms(IDEMPOTENCY_KEPT),
        )
        if before not in {None, fingerprint}:
            raise IdempotencyConflict

    def _call(self, ask: Ask) -> _Call:
        """Keys and arguments, as the script documents them."""
        new, fields = ask.new, write_new_generation(ask.new)
        deadline = self._deadline_of(new)
        keys = [
            key(new.id),
            due_key(Lane.SUBMISSIONS),
            ALL_UNFINISHED,
            index_of(None),
            index_of(new.origin),
            origin_key(new.origin),
            unfinished_key(new.origin),
        ]
        if ask.idempotency_key is not None:
            keys.append(_promise(new.origin, ask.idempotency_key))
        args = [
            new.id,
            deadline,
            in_ms(LONGEST_DEADLINE + self._keep),
            _fingerprint(fields, deadline),
            in_ms(IDEMPOTENCY_KEPT),
            PREFIX,
            new.origin,
            new.priority,
            *(part for pair in fields.items() for part in pair),
        ]
        return _Call(fields, deadline, keys, args)

    def _deadline_of(self, new: NewGeneration) -> int:
        return in_ms(new.deadline or self._deadline)


def _promise(origin: str, idempotency_key: str) -> str:
    return key(f"idempotency:{origin}:{_hash(idempotency_key)}")


def _fingerprint(fields: Fields, deadline_ms: int) -> str:
    # What is known of the model may change between a request and its repetition, and its trace.
    asked = {name: text for name, text in fields.items() if name not in NOT_ASKED_FOR}
    return _hash(dump_json([asked, deadline_ms]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
