"""When a request starts, ends and is cancelled, and so what it is at any instant.

Pure: instants are seconds since the epoch and arguments, and so is the random source.
"""

import math
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal

NEVER: Final = math.inf
#: How many requests seem to wait before a new one.
QUEUE_DEPTH: Final = 4


class State(StrEnum):
    """What a request is at an instant. How an ended one turned out is not time's business."""

    IN_QUEUE = "in_queue"
    IN_PROGRESS = "in_progress"
    ENDED = "ended"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The instants of one request; ``NEVER`` until somebody moves it."""

    accepted_at: float
    started_at: float
    run: float
    finished_at: float = NEVER
    """Set when the request was ended by hand; else it ends when its run is over."""
    cancelled_at: float = NEVER

    @property
    def ended_at(self) -> float:
        return min(self.started_at + self.run, self.finished_at, self.cancelled_at)

    def state_at(self, now: float) -> State:
        if now >= self.ended_at:
            return State.CANCELLED if self.cancelled_at <= self.ended_at else State.ENDED
        return State.IN_PROGRESS if now >= self.started_at else State.IN_QUEUE

    def waiting_before_at(self, now: float) -> int:
        """How many requests seem to be before this one; falls to 0 as its start comes near."""
        wait = self.started_at - self.accepted_at
        left = 1.0 if wait == NEVER else max(0.0, self.started_at - now) / max(wait, 1e-9)
        return min(QUEUE_DEPTH - 1, int(left * QUEUE_DEPTH))

    def start(self, now: float) -> "Timeline":
        """Start now; changes nothing once started."""
        return replace(self, started_at=now) if self.state_at(now) is State.IN_QUEUE else self

    def finish(self, now: float) -> "Timeline":
        """End now; changes nothing once ended."""
        if now >= self.ended_at:
            return self
        return replace(self, started_at=min(self.started_at, now), finished_at=now)

    def cancel(self, at: float) -> "Timeline":
        """Be cancelled at an instant, unless the end comes first."""
        return replace(self, cancelled_at=at)


@dataclass(frozen=True, slots=True)
class Spread:
    """A log-normal duration: its median in seconds, and sigma of its logarithm."""

    median: float
    sigma: float

    def draw(self, source: random.Random, *, speed: float) -> float:
        return self.median * math.exp(source.gauss(0, self.sigma)) / speed


def plan(
    now: float,
    *,
    queue: float,
    run: float,
    skip: Literal["none", "in_queue", "in_progress"] = "none",
) -> Timeline:
    """The timeline of a request accepted now, without the state that polls are not to see."""
    if skip == "in_queue":
        return Timeline(now, started_at=now, run=queue + run)
    if skip == "in_progress":
        return Timeline(now, started_at=now + queue + run, run=0.0)
    return Timeline(now, started_at=now + queue, run=run)


def to_iso(instant: float) -> str | None:
    """ISO 8601 with fractions and offset, as RunComfy writes it; None for what never comes."""
    if instant == NEVER:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds")
