"""The statuses and what may follow what. Statuses change through :func:`move` and nowhere else.

The store repeats the check atomically, from the same tables (``allowed_before``).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from generations.errors import IllegalMove


class Status(StrEnum):
    """Where a generation is now."""

    QUEUED = "queued"  #: Accepted; RunComfy has not been told yet.
    SUBMITTING = "submitting"  #: The intent is on record; RunComfy's answer is not.
    IN_QUEUE = "in_queue"  #: RunComfy has it and has not begun.
    IN_PROGRESS = "in_progress"  #: RunComfy works on it.
    SUCCEEDED = "succeeded"  #: The output is there.
    FAILED = "failed"  #: There will be no output; the error says why.
    CANCELLED = "cancelled"  #: Stopped at the origin's request, or by RunComfy.


MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.QUEUED: frozenset({Status.SUBMITTING, Status.FAILED, Status.CANCELLED}),
    # Back to QUEUED where it is proved that RunComfy never got the submission, or where the
    # origin chose to resubmit an uncertain one.
    Status.SUBMITTING: frozenset(
        {Status.IN_QUEUE, Status.IN_PROGRESS, Status.QUEUED, Status.FAILED, Status.CANCELLED}
    ),
    # A short generation can finish between two polls, so IN_PROGRESS may be skipped.
    Status.IN_QUEUE: frozenset(
        {Status.IN_PROGRESS, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}
    ),
    Status.IN_PROGRESS: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


#: RunComfy has it, or may have it: what an origin's ``max_in_flight`` counts.
IN_FLIGHT: Final = frozenset({Status.SUBMITTING, Status.IN_QUEUE, Status.IN_PROGRESS})

#: Where an operator may take a generation that failed although RunComfy has it, or may have it:
#: submit it again, or go on with RunComfy's request. Which failures these are, the store says.
REOPENINGS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.FAILED: frozenset({Status.QUEUED, Status.IN_QUEUE}),
}


class DeliveryStatus(StrEnum):
    """Where a delivery is now."""

    PENDING = "pending"  #: Not taken by the endpoint yet.
    DELIVERED = "delivered"  #: An attempt was answered with 2xx.
    EXHAUSTED = "exhausted"  #: Used up its attempts, or the endpoint answered 410.
    SUPERSEDED = "superseded"  #: A later event made it pointless, or an operator took it back.


DELIVERY_MOVES: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = {
    DeliveryStatus.PENDING: frozenset(
        {DeliveryStatus.DELIVERED, DeliveryStatus.EXHAUSTED, DeliveryStatus.SUPERSEDED}
    ),
    DeliveryStatus.DELIVERED: frozenset(),
    DeliveryStatus.EXHAUSTED: frozenset(),
    DeliveryStatus.SUPERSEDED: frozenset(),
}

#: From where a delivery may be told again, under the same ``webhook-id`` and by a schedule
#: begun anew. What was superseded stays so: a later event says more.
REDELIVERIES: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = {
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.EXHAUSTED: frozenset({DeliveryStatus.PENDING}),
}

AnyStatus = Status | DeliveryStatus
_S = TypeVar("_S", Status, DeliveryStatus)


def move(current: _S, to: _S) -> _S:
    """The status after a move; moving to the present status changes nothing.

    Raises:
        IllegalMove: the table does not list the move.
    """
    if to != current and to not in _table(current)[current]:
        raise IllegalMove(f"{current} may not become {to}")
    return to


def allowed_before(to: AnyStatus) -> frozenset[AnyStatus]:
    """The statuses that may move to this one; what the store checks atomically."""
    return frozenset(status for status, next_ones in _table(to).items() if to in next_ones)


def allowed_to_reopen(to: AnyStatus) -> frozenset[AnyStatus]:
    """The finished statuses from which this one may be entered all the same."""
    table = REOPENINGS if isinstance(to, Status) else REDELIVERIES
    return frozenset(status for status, next_ones in table.items() if to in next_ones)


def is_finished(status: AnyStatus) -> bool:
    """Whether no moves are left."""
    return not _table(status)[status]


def _table(status: AnyStatus) -> Mapping[AnyStatus, frozenset[AnyStatus]]:
    return MOVES if isinstance(status, Status) else DELIVERY_MOVES  # type: ignore[return-value]  # Mapping is invariant in its key
