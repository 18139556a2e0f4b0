"""What follows a poll."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from generations.errors import RunComfyThrottled, RunComfyUnavailable
from generations.lifecycle import Status
from generations.model import ErrorCode, GenerationError
from generations.steps import Due, Lane, NewDelivery, Step
from tests.builders import ENDPOINT, NOW, a_generation
from worker.pauses import look_after_pause
from worker.polling import (
    ANSWERED,
    BELIEVED_AFTER,
    LATE_COST,
    MISSES,
    decide_cancel,
    decide_poll,
    look_later,
)
from worker.runcomfy.protocol import NotThere, Observation

SECOND = timedelta(seconds=1)
#: A draw in the middle adds no jitter.
MIDDLE = 0.5
AT_RUNCOMFY = [Status.IN_QUEUE, Status.IN_PROGRESS]
OUTPUT = {"video": "https://files.runcomfy.net/a.mp4"}


def polled(status: Status, seen: Observation | NotThere, **fields: Any) -> Step:
    return decide_poll(a_generation(status=status, **fields), seen, now=NOW, draw=MIDDLE)


def test_what_waits_is_polled_again() -> None:
    step = polled(Status.IN_QUEUE, Observation(Status.IN_QUEUE, queue_position=3))
    assert step.to is None
    assert step.due == Due(Lane.POLLS, 1.25 * SECOND)
    assert step.set == {"queue_position": 3, "looked_at": NOW, **ANSWERED}
    assert step.add == {"polls": 1}
    assert step.tell is None


@pytest.mark.parametrize(("polls", "seconds"), [(0, 1.25), (1, 1.5625), (30, 10)])
def test_the_gap_grows_with_the_polls_made(polls: int, seconds: float) -> None:
    step = polled(Status.IN_PROGRESS, Observation(Status.IN_PROGRESS), polls=polls)
    assert step.due == Due(Lane.POLLS, seconds * SECOND)


def test_what_begins_leaves_the_queue() -> None:
    step = polled(Status.IN_QUEUE, Observation(Status.IN_PROGRESS), queue_position=1)
    assert step.to is Status.IN_PROGRESS
    assert step.set["queue_position"] is None
    assert step.tell is None


def test_beginning_is_told_only_to_those_who_asked() -> None:
    asked: dict[str, Any] = {"webhook": ENDPOINT, "webhook_intermediate_status": True}
    step = polled(Status.IN_QUEUE, Observation(Status.IN_PROGRESS), **asked)
    assert step.tell == NewDelivery(ENDPOINT, Status.IN_PROGRESS, "studio")
    again = polled(Status.IN_PROGRESS, Observation(Status.IN_PROGRESS), **asked)
    assert again.tell is None
    assert again.to is None


def test_what_runs_is_not_queued_again_whatever_runcomfy_says() -> None:
    step = polled(Status.IN_PROGRESS, Observation(Status.IN_QUEUE, queue_position=1))
    assert step.to is None
    assert step.due is not None


@pytest.mark.parametrize("status", AT_RUNCOMFY)
def test_an_unknown_word_is_still_running(status: Status) -> None:
    step = polled(status, Observation(None))
    assert step.to is None
    assert step.due is not None
    assert step.add == {"polls": 1}


@pytest.mark.parametrize("status", AT_RUNCOMFY)
def test_a_success_ends_it_with_output_and_cost(status: Status) -> None:
    seen = Observation(Status.SUCCEEDED, output=OUTPUT, cost=2.85)
    step = polled(status, seen, webhook=ENDPOINT)
    assert step.to is Status.SUCCEEDED
    assert step.due is None
    assert (step.set["output"], step.set["cost"]) == (OUTPUT, 2.85)
    assert step.set["queue_position"] is None
    assert step.add == {"polls": 1}
    assert step.tell == NewDelivery(ENDPOINT, Status.SUCCEEDED, "studio")


def test_a_success_without_its_cost_is_asked_for_it_later() -> None:
    step = polled(Status.IN_PROGRESS, Observation(Status.SUCCEEDED, output=OUTPUT))
    assert (step.to, step.due) == (Status.SUCCEEDED, LATE_COST)


@pytest.mark.parametrize("status", AT_RUNCOMFY)
@pytest.mark.parametrize("said", ["Out of memory.", None])
def test_a_failure_ends_it_with_runcomfys_words(status: Status, said: str | None) -> None:
    step = polled(status, Observation(Status.FAILED, error=said, cost=0.5))
    assert step.to is Status.FAILED
    assert step.due is None
    message = said or "RunComfy gave no reason."
    assert step.set["error"] == GenerationError(ErrorCode.GENERATION_FAILED, message)
    assert step.set["cost"] == 0.5


@pytest.mark.parametrize("status", AT_RUNCOMFY)
def test_runcomfy_may_cancel_on_its_own(status: Status) -> None:
    step = polled(status, Observation(Status.CANCELLED))
    assert step.to is Status.CANCELLED
    assert step.due is None


def test_a_request_that_runcomfy_does_not_know_is_asked_for_some_more() -> None:
    waits = []
    for misses in range(MISSES - 1):
        step = polled(Status.IN_QUEUE, NotThere(), misses=misses, failures=3)
        assert step.to is None
        assert step.add["misses"] == 1
        assert step.set["failures"] == 0
        assert step.due is not None
        waits.append(step.due.delay)
    assert waits == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]


def test_the_first_miss_is_remembered() -> None:
    first = polled(Status.IN_QUEUE, NotThere())
    assert first.set["missing_since"] == NOW
    later = polled(Status.IN_QUEUE, NotThere(), misses=1, missing_since=NOW - SECOND)
    assert later.set["missing_since"] == NOW - SECOND


@pytest.mark.parametrize(
    ("misses", "since"),
    [
        (MISSES - 2, NOW - 2 * BELIEVED_AFTER),
        (100, NOW - BELIEVED_AFTER + SECOND),
    ],
    ids=["seldom", "shortly"],
)
def test_what_runcomfy_said_seldom_or_shortly_is_not_believed(misses: int, since: datetime) -> None:
    step = polled(Status.IN_PROGRESS, NotThere(), misses=misses, missing_since=since)
    assert step.to is None
    assert step.due is not None


def test_in_the_end_runcomfy_is_believed_not_to_know_it() -> None:
    since = NOW - BELIEVED_AFTER
    step = polled(Status.IN_PROGRESS, NotThere(), misses=MISSES - 1, missing_since=since)
    assert step.to is Status.FAILED
    assert step.set["error"].code is ErrorCode.RESULT_UNAVAILABLE


def test_any_answer_ends_the_counting_of_misses_and_failures() -> None:
    step = polled(Status.IN_QUEUE, Observation(Status.IN_QUEUE), misses=4, failures=9)
    assert (step.set["misses"], step.set["failures"]) == (0, 0)
    assert step.set["missing_since"] is None


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (3, 8), (50, 16)])
def test_no_answer_is_a_failure_and_no_poll(failures: int, seconds: int) -> None:
    generation = a_generation(status=Status.IN_PROGRESS, failures=failures, polls=7)
    step = look_later(generation, RunComfyUnavailable(), draw=MIDDLE)
    assert step.to is None
    assert step.due == Due(Lane.POLLS, seconds * SECOND)
    assert step.add == {"failures": 1}
    assert step.set == {}


def test_a_wish_to_be_left_alone_is_granted() -> None:
    error = RunComfyUnavailable(retry_after=60 * SECOND)
    step = look_later(a_generation(status=Status.IN_QUEUE), error, draw=MIDDLE)
    assert step.due == Due(Lane.POLLS, 60 * SECOND)


def test_a_cancel_that_took_effect_ends_it() -> None:
    generation = a_generation(status=Status.IN_QUEUE, cancel_requested_at=NOW, webhook=ENDPOINT)
    step = decide_cancel(generation, "cancelled")
    assert step.to is Status.CANCELLED
    assert step.due is None
    assert step.set["cancel_outcome"] == "cancelled"
    assert step.tell == NewDelivery(ENDPOINT, Status.CANCELLED, "studio")


@pytest.mark.parametrize("outcome", ["not_cancellable", "cancellation_requested"])
def test_a_cancel_that_did_not_is_kept_as_it_was_said_and_polling_goes_on(outcome: str) -> None:
    generation = a_generation(status=Status.IN_PROGRESS, cancel_requested_at=NOW)
    step = decide_cancel(generation, outcome)
    assert step.to is None
    assert step.due == Due(Lane.POLLS)
    assert step.set["cancel_outcome"] == outcome


def test_a_cancel_that_waits_for_a_word_does_not_hurry_the_next_look() -> None:
    wants_cancel = a_generation(status=Status.IN_QUEUE, cancel_requested_at=NOW)
    unanswered = look_later(wants_cancel, RunComfyUnavailable(), draw=MIDDLE)
    still_running = decide_poll(wants_cancel, Observation(Status.IN_QUEUE), now=NOW, draw=MIDDLE)
    missed = decide_poll(wants_cancel, NotThere(), now=NOW, draw=MIDDLE)
    assert all(step.cancel_known for step in (unanswered, still_running, missed))


def test_a_cancel_that_nobody_knew_of_does() -> None:
    step = polled(Status.IN_QUEUE, Observation(Status.IN_QUEUE))
    assert not step.cancel_known


def test_a_throttled_poll_counts_as_nothing_and_pauses_everybody() -> None:
    error = RunComfyThrottled(retry_after=30 * SECOND)
    step = look_after_pause(a_generation(status=Status.IN_QUEUE), error, draw=MIDDLE)
    assert step == Step(due=Due(Lane.POLLS, 30 * SECOND), pause=30 * SECOND)
