"""A step: everything that one settle writes, all of it or nothing.

Decisions about generations end in a :class:`Step`; ``due.py`` applies it atomically.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from generations.lifecycle import AnyStatus, Status, is_finished, move
from generations.model import Attempt, Delivery, ErrorCode, Generation, GenerationError


def _nothing() -> Mapping[str, Any]:
    return {}


class Lane(StrEnum):
    """Which kind of action is due; also the name of the Celery queue that takes it."""

    SUBMISSIONS = "submissions"
    POLLS = "polls"
    DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True)
class Due:
    """The next action: its lane, and how long from now on Redis's clock."""

    lane: Lane
    delay: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An endpoint to tell, and the status to tell it."""

    #: None: the origin's default endpoint, if it has one when the step is written.
    endpoint: str | None
    told: Status
    origin: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a settle writes. Names in ``set`` and ``add`` are those of the record's fields."""

    #: The next action; None where there is none, ever.
    due: Due | None
    #: The status to move to; None keeps the present one.
    to: AnyStatus | None = None
    set: Mapping[str, Any] = field(default_factory=_nothing)
    #: Counters, and by how much they grow.
    add: Mapping[str, int] = field(default_factory=_nothing)
    #: Fields that get the instant of the step, on Redis's clock.
    stamp: tuple[str, ...] = ()
    #: Fields that get the number of the last line of another one, as it is then.
    tally: Mapping[str, str] = field(default_factory=_nothing)
    #: The statuses it applies in; empty: those that the table lets move to ``to``.
    only_from: frozenset[AnyStatus] = frozenset()
    tell: NewDelivery | None = None
    attempt: Attempt | None = None
    #: RunComfy asked to be left alone for so long, by everybody.
    pause: timedelta | None = None
    #: Decided in the knowledge of the cancel that is pending, so that ``due`` holds for it too.
    cancel_known: bool = False


def telling(generation: Generation, to: Status) -> NewDelivery | None:
    """The delivery that a move owes to the generation's endpoint, or to its origin's default."""
    if not (is_finished(to) or generation.webhook_intermediate_status):
        return None
    return NewDelivery(endpoint=generation.webhook, told=to, origin=generation.origin)


def is_pointless(delivery: Delivery, generation: Generation) -> bool:
    """Whether a later event already says more, or an operator took back the end that it tells."""
    if delivery.is_intermediate:
        return generation.delivery_ids[-1:] != (delivery.id,)
    return len(generation.timeline) > delivery.sequence


def finish(generation: Generation, to: Status, **facts: Any) -> Step:
    """The last step of a generation; ``facts`` are fields such as ``output`` and ``cost``."""
    move(generation.status, to)
    return Step(
        to=to,
        due=None,
        set={"queue_position": None, **facts},
        tell=telling(generation, to),
    )


def fail(generation: Generation, code: ErrorCode, message: str, **facts: Any) -> Step:
    """The last step of a generation that has no output."""
    error = GenerationError(code=code, message=message)
    return finish(generation, Status.FAILED, error=error, **facts)
