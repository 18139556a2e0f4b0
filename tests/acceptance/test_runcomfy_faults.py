"""RunComfy answering badly: what may be repeated is, and what may have been paid is not."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import Stack

POLL_FAULTS: Final = [
    "status:html",
    "status:error_code_200",
    "status:truncated",
    "status:error_503",
    "status:answer_reset",
    "status:unknown_status",
    "result:html",
    "result:result_not_ready",
]
LOST_ANSWERS: Final = ["answer_lost", "answer_reset", "truncated", "accepted_error_500"]
ASKED_TO_WAIT: Final = timedelta(seconds=2)


@pytest.fixture(scope="module")
def met(shared_stack: Stack, north_of_all: OriginClient) -> dict[str, str]:
    """A generation for each fault of a poll, submitted together so that they wait together."""
    del shared_stack
    return {fault: north_of_all.submit(an_input(f"[[sim:{fault}]]")) for fault in POLL_FAULTS}


@pytest.mark.parametrize("fault", POLL_FAULTS)
def test_a_bad_answer_to_a_poll_fails_nothing(
    fault: str, met: dict[str, str], north: OriginClient, runcomfy: RunComfy
) -> None:
    record = north.wait_until_finished(met[fault])

    assert record["status"] == "succeeded"
    assert record["submissions"] == len(runcomfy.paid_for(record["input"])) == 1
    route = fault.partition(":")[0]
    assert runcomfy.request(record["runcomfy_request_id"])["calls"][route] >= 2


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_submission_whose_answer_was_lost_is_uncertain_and_never_paid_twice(
    fault: str, north: OriginClient, runcomfy: RunComfy
) -> None:
    given, endpoint = an_input(f"[[sim:{fault}]]"), north.endpoint()
    north.submit(given, webhook=endpoint.url)

    callback = endpoint.wait_for_event("generation.failed")

    assert callback.told["error"]["code"] == "submission_uncertain"
    assert callback.told["submissions"] == 1
    assert len(runcomfy.paid_for(given)) == 1


def test_a_throttled_submission_waits_as_asked_and_is_paid_once(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    given = an_input("[[sim:throttled_retry_after]]")
    record = north.wait_until_finished(north.submit(given))

    assert record["status"] == "succeeded"
    moves = ["queued", "submitting", "queued", "submitting", "in_queue"]
    assert [moment["status"] for moment in record["timeline"]][:5] == moves
    assert waited(record, 2, 3) >= ASKED_TO_WAIT
    assert record["submissions"] == len(runcomfy.paid_for(given)) == 1


def test_a_throttled_poll_waits_as_asked(north: OriginClient, runcomfy: RunComfy) -> None:
    given = an_input("[[sim:status:throttled_retry_after]]")
    record = north.wait_until_finished(north.submit(given))

    assert record["status"] == "succeeded"
    assert waited(record, 2, -1) >= ASKED_TO_WAIT
    calls = runcomfy.request(record["runcomfy_request_id"])["calls"]
    # The throttled one was no poll: it saw nothing.
    assert (calls["status"], record["polls"]) == (2, 1)


def waited(record: Body, since: int, until: int) -> timedelta:
    """The time between two moments of a timeline."""
    since_at, until_at = (record["timeline"][n]["at"] for n in (since, until))
    return datetime.fromisoformat(until_at) - datetime.fromisoformat(since_at)
