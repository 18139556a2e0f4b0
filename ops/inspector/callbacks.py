"""Callbacks as they arrived, and the log that keeps the newest of them. No I/O."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from ops.inspector.answers import Answer, is_at_or_below
from ops.inspector.verification import Check, Finding, Verdict

# A sender may come back for a day: ids outlive their callbacks, but not without bound.
_IDS_PER_CALLBACK: Final = 10


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came in; header names are lower-case."""

    received_at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Callback(BaseModel):
    """One callback as the JSON view shows it."""

    model_config = ConfigDict(frozen=True)

    #: Counts up from 1 and is never given twice, whatever is cleared.
    n: int
    received_at: datetime
    method: str
    path: str
    query: str
    webhook_id: str | None
    #: How often this ``webhook_id`` had come, this time included; None without one.
    attempt_number_seen: int | None
    verdict: Finding
    verdict_sentence: str
    verified: bool
    #: What each signature in the header came to.
    checks: tuple[Check, ...]
    #: The status it was answered with; None: it was left hanging.
    answered: int | None
    headers: dict[str, str]
    #: Parsed; None when it is not JSON.
    body: Any
    body_text: str
    body_bytes: bytes = Field(exclude=True)


class Counts(BaseModel):
    """Everything since the start or the last clearing, kept or not."""

    received: int = 0
    verified: int = 0
    not_verified: int = 0


@dataclass
class CallbackLog:
    """The newest ``keep`` callbacks, and how often each webhook id came."""

    keep: int
    counts: Counts = field(default_factory=Counts)
    _next: int = 1
    _callbacks: deque[Callback] = field(default_factory=deque)
    _times_seen: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def record(self, arrival: Arrival, *, verdict: Verdict, answer: Answer) -> Callback:
        webhook_id = arrival.headers.get("webhook-id")
        seen = None if webhook_id is None else self._count(webhook_id)
        callback = _callback(self._next, seen, arrival, verdict=verdict, answer=answer)
        self._next += 1
        self.counts.received += 1
        self.counts.verified += verdict.is_verified
        self.counts.not_verified += not verdict.is_verified
        self._callbacks.appendleft(callback)
        if len(self._callbacks) > self.keep:
            self._callbacks.pop()
        return callback

    def newest(
        self, limit: int, *, webhook_id: str | None = None, path: str | None = None
    ) -> list[Callback]:
        """Newest first; ``path`` takes in what is below it."""
        return list(islice(self._matching(webhook_id, path), limit))

    def numbered(self, n: int) -> Callback | None:
        return next((callback for callback in self._callbacks if callback.n == n), None)

    def clear(self) -> None:
        """Forget all but the numbering, so that no number ever means two callbacks."""
        self.counts = Counts()
        self._callbacks.clear()
        self._times_seen.clear()

    def _count(self, webhook_id: str) -> int:
        times = self._times_seen.pop(webhook_id, 0) + 1
        self._times_seen[webhook_id] = times
        if len(self._times_seen) > self.keep * _IDS_PER_CALLBACK:
            self._times_seen.popitem(last=False)
        return times

    def _matching(self, webhook_id: str | None, path: str | None) -> Iterator[Callback]:
        for callback in self._callbacks:
            if webhook_id is not None and callback.webhook_id != webhook_id:
                continue
            if path is None or is_at_or_below(callback.path, path):
                yield callback


def _callback(
    n: int, seen: int | None, arrival: Arrival, *, verdict: Verdict, answer: Answer
) -> Callback:
    return Callback(
        n=n,
        received_at=arrival.received_at,
        method=arrival.method,
        path=arrival.path,
        query=arrival.query,
        webhook_id=arrival.headers.get("webhook-id"),
        attempt_number_seen=seen,
        verdict=verdict.finding,
        verdict_sentence=verdict.sentence,
        verified=verdict.is_verified,
        checks=verdict.checks,
        answered=None if answer.hang else answer.status,
        headers=arrival.headers,
        body=_parsed(arrival.body),
        body_text=arrival.body.decode(errors="replace"),
        body_bytes=arrival.body,
    )


def _parsed(body: bytes) -> Any:
    # Strict on purpose: NaN, lone surrogates and endless nesting, which json.loads
    # takes, could not be written out again.
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
