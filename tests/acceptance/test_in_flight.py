"""An origin that may have two generations with RunComfy: the others wait, and all are done."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

import pytest

from tests.acceptance.conftest import origin_of
from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.receiver import Receiver
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import Stack
from tests.acceptance.test_uncertain import darkroom
from tests.acceptance.waiting import eventually

MOST = 2
COUNT = 7
IN_FLIGHT = {"submitting", "in_queue", "in_progress"}


@pytest.fixture(scope="module")
def modest(shared_stack: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    for origin in origin_of(shared_stack, "modest", receiver):
        set_ = darkroom(
            shared_stack, "keys", "limits", "modest", "--max-in-flight", str(MOST), "--json"
        )
        assert json.loads(set_.stdout)["max_in_flight"] == MOST
        yield origin


def most_at_once(records: list[Body]) -> int:
    """How many of them were with RunComfy at a time, by their own timelines."""
    changes: list[tuple[datetime, int]] = []
    for record in records:
        was_in = False
        for moment in record["timeline"]:
            is_in = moment["status"] in IN_FLIGHT
            if is_in != was_in:
                changes.append((datetime.fromisoformat(moment["at"]), 1 if is_in else -1))
            was_in = is_in
    # Within one millisecond, what leaves made room for what comes.
    return max(accumulate(change for _, change in sorted(changes)))


def test_two_go_the_others_wait_in_line_and_all_are_done(
    modest: OriginClient, runcomfy: RunComfy
) -> None:
    runcomfy.hold(queue=True)
    inputs = [an_input() for _ in range(COUNT)]
    ids = [modest.submit(given) for given in inputs]

    def places() -> list[int] | None:
        records = [modest.record(one) for one in ids]
        waiting = [one["queue_position"] for one in records if one["status"] == "queued"]
        with_runcomfy = [one for one in records if one["status"] == "in_queue"]
        return sorted(waiting) if len(with_runcomfy) == MOST else None

    in_line = list(range(1, COUNT - MOST + 1))
    eventually(lambda: places() == in_line, "two are with RunComfy, and the others in line")
    assert sum(len(runcomfy.paid_for(given)) for given in inputs) == MOST

    runcomfy.hold()
    runcomfy.start_all()
    records = [modest.wait_until_finished(one) for one in ids]
    assert {record["status"] for record in records} == {"succeeded"}
    assert [record["submissions"] for record in records] == [1] * COUNT
    assert most_at_once(records) == MOST


def test_one_that_waits_is_cancelled_at_once_and_never_paid(
    modest: OriginClient, runcomfy: RunComfy
) -> None:
    runcomfy.hold(queue=True)
    inputs = [an_input() for _ in range(MOST + 1)]
    ids = [modest.submit(given) for given in inputs]

    def waiting() -> str | None:
        statuses = {one: modest.record(one)["status"] for one in ids}
        queued = [one for one, status in statuses.items() if status == "queued"]
        is_full = list(statuses.values()).count("in_queue") == MOST
        return queued[0] if is_full and len(queued) == 1 else None

    last = eventually(waiting, "one waits")
    assert modest.cancel(last)["outcome"] == "cancelled"
    runcomfy.hold()
    runcomfy.start_all()
    records = {one: modest.wait_until_finished(one) for one in ids}
    assert records[last]["status"] == "cancelled"
    assert runcomfy.paid_for(inputs[ids.index(last)]) == []
