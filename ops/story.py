"""What a person is told of a generation while it happens. Pure: records in, entries out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

Json = Mapping[str, Any]


class Step(Enum):
    """The steps of a generation that goes well, in their order."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    IN_QUEUE = "in_queue"
    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    ATTEMPTED = "attempted"
    VERIFIED = "verified"


STEPS: Final = {step.value: step for step in Step}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story."""

    #: Seconds since the generation was accepted.
    seconds: float
    text: str
    #: Which step it is; None where it is none of those of a good end.
    step: Step | None = None


class Story:
    """Tells each thing once, however often it is seen."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def observe(self, record: Json, callbacks: Sequence[Json], now: datetime) -> list[Entry]:
        """What is new in the native record and in what the inspector has."""
        accepted_at = instant(record["created_at"])
        fresh = []
        for at, text, step in _told_so_far(record, callbacks, now):
            if text not in self._told:
                self._told.add(text)
                fresh.append(Entry((at - accepted_at).total_seconds(), text, step))
        return fresh


def instant(text: str) -> datetime:
    """An instant as the gateway and the inspector write it."""
    return datetime.fromisoformat(text)


_Line = tuple[datetime, str, Step | None]


def _told_so_far(record: Json, callbacks: Sequence[Json], now: datetime) -> Iterator[_Line]:
    for moment in record["timeline"]:
        word = str(moment["status"])
        yield instant(moment["at"]), word.replace("_", " "), STEPS.get(word)
    # RunComfy gives the position when it is polled; before that it would be our own.
    if record["status"] == Step.IN_QUEUE.value and record["polls"]:
        yield now, f"in queue at position {record['queue_position']}", Step.IN_QUEUE
    attempts = [attempt for delivery in record["deliveries"] for attempt in delivery["attempts"]]
    for attempt in attempts:
        answer = attempt["status_code"] or attempt["error"]
        step = Step.ATTEMPTED if answer == 200 else None
        yield instant(attempt["at"]), f"callback attempt {attempt['number']}: {answer}", step
    # A callback arrives before its attempt is on record; told in the order that makes sense.
    for callback in callbacks if attempts else ():
        yield _seen(callback)


def _seen(callback: Json) -> _Line:
    at = instant(callback["received_at"])
    if callback["verified"]:
        return at, "signature verified", Step.VERIFIED
    return at, f"signature not verified: {callback['verdict_sentence']}", None
