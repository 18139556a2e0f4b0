"""Statuses move as the design's table says, and in no other way."""

from itertools import product

import pytest

from generations.errors import IllegalMove
from generations.lifecycle import (
    DELIVERY_MOVES,
    MOVES,
    DeliveryStatus,
    Status,
    allowed_before,
    allowed_to_reopen,
    is_finished,
    move,
)

#: The table on the design page, word for word.
DESIGN = {
    "queued": "submitting, failed, cancelled",
    "submitting": "in_queue, in_progress, queued, failed, cancelled",
    "in_queue": "in_progress, succeeded, failed, cancelled",
    "in_progress": "succeeded, failed, cancelled",
    "succeeded": "",
    "failed": "",
    "cancelled": "",
}
DELIVERIES = {
    "pending": "delivered, exhausted, superseded",
    "delivered": "",
    "exhausted": "",
    "superseded": "",
}


def words(row: str) -> set[str]:
    return set(filter(None, row.split(", ")))


def test_the_tables_have_every_status() -> None:
    assert set(MOVES) == set(Status) == set(DESIGN)
    assert set(DELIVERY_MOVES) == set(DeliveryStatus) == set(DELIVERIES)


@pytest.mark.parametrize(("current", "to"), list(product(Status, Status)))
def test_a_generation_moves_only_as_the_design_lists(current: Status, to: Status) -> None:
    if to == current or to in words(DESIGN[current]):
        assert move(current, to) is to
    else:
        with pytest.raises(IllegalMove, match=f"{current} may not become {to}"):
            move(current, to)


@pytest.mark.parametrize(("current", "to"), list(product(DeliveryStatus, DeliveryStatus)))
def test_a_delivery_ends_once(current: DeliveryStatus, to: DeliveryStatus) -> None:
    if to == current or to in words(DELIVERIES[current]):
        assert move(current, to) is to
    else:
        with pytest.raises(IllegalMove):
            move(current, to)


@pytest.mark.parametrize("status", Status)
def test_moving_to_the_present_status_changes_nothing(status: Status) -> None:
    assert move(status, status) is status


@pytest.mark.parametrize("status", [*Status, *DeliveryStatus])
def test_finished_means_that_no_moves_are_left(status: Status | DeliveryStatus) -> None:
    table = DESIGN if isinstance(status, Status) else DELIVERIES
    assert is_finished(status) is (table[status] == "")


@pytest.mark.parametrize("to", Status)
def test_allowed_before_is_the_table_read_backwards(to: Status) -> None:
    assert allowed_before(to) == {current for current in Status if to in words(DESIGN[current])}


def test_a_pending_delivery_is_what_every_ended_one_was() -> None:
    for to in set(DeliveryStatus) - {DeliveryStatus.PENDING}:
        assert allowed_before(to) == {DeliveryStatus.PENDING}
    assert allowed_before(DeliveryStatus.PENDING) == frozenset()


def test_every_status_can_be_reached_and_every_way_ends() -> None:
    reached, ends = {Status.QUEUED}, {status for status in Status if is_finished(status)}
    for _ in Status:
        reached |= {to for current in reached for to in MOVES[current]}
        ends |= {status for status in Status if MOVES[status] & ends}
    assert reached == ends == set(Status)


def test_only_a_submission_proved_not_sent_goes_back() -> None:
    assert allowed_before(Status.QUEUED) == {Status.SUBMITTING}


@pytest.mark.parametrize("to", Status)
def test_only_an_operator_reopens_and_only_what_failed(to: Status) -> None:
    reopened = {Status.FAILED} if to in {Status.QUEUED, Status.IN_QUEUE} else set()
    assert allowed_to_reopen(to) == reopened
    assert not allowed_before(to) & {status for status in Status if is_finished(status)}
