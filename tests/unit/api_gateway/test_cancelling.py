"""What a cancel has come to, seen from the record."""

import pytest

from api_gateway.cancelling import decide_outcome
from generations.lifecycle import Status
from tests.builders import NOW, a_generation

RUNNING = [Status.SUBMITTING, Status.IN_QUEUE, Status.IN_PROGRESS]


@pytest.mark.parametrize("status", RUNNING)
def test_without_runcomfys_word_it_is_only_asked_for(status: Status) -> None:
    generation = a_generation(status=status, cancel_requested_at=NOW)
    assert decide_outcome(generation) == "cancellation_requested"


@pytest.mark.parametrize("status", RUNNING)
def test_runcomfys_no_is_final(status: Status) -> None:
    generation = a_generation(status=status, cancel_outcome="not_cancellable")
    assert decide_outcome(generation) == "not_cancellable"


def test_an_unknown_word_promises_nothing() -> None:
    generation = a_generation(status=Status.IN_PROGRESS, cancel_outcome="too_late")
    assert decide_outcome(generation) == "not_cancellable"


@pytest.mark.parametrize("word", ["cancelled", "cancellation_requested"])
def test_runcomfys_yes_counts_when_the_status_has_followed(word: str) -> None:
    running = a_generation(status=Status.IN_QUEUE, cancel_outcome=word)
    assert decide_outcome(running) == "cancellation_requested"
    stopped = a_generation(status=Status.CANCELLED, cancel_outcome=word)
    assert decide_outcome(stopped) == "cancelled"


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
def test_what_ended_otherwise_was_not_cancelled(status: Status) -> None:
    assert decide_outcome(a_generation(status=status)) == "not_cancellable"
