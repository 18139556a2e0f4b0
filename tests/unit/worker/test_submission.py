"""What follows a submission: accepted, proved not sent, refused, or nobody knows."""

from datetime import timedelta

import pytest

from generations.errors import (
    RunComfyRejected,
    RunComfyThrottled,
    RunComfyUnavailable,
    SubmissionUncertain,
)
from generations.lifecycle import Status
from generations.model import ErrorCode, GenerationError, OnUncertain
from generations.steps import Due, Lane, NewDelivery, Step
from tests.builders import ENDPOINT, NOW, a_generation
from worker.leases import Leases
from worker.submission import (
    decide_without_submitting,
    intend,
    not_sent,
    rejected,
    submitted,
    throttled,
    uncertain,
)

SECOND = timedelta(seconds=1)
#: A draw in the middle adds no jitter.
MIDDLE = 0.5
LOST = SubmissionUncertain("The answer was lost.")


def error_of(step: Step) -> GenerationError:
    error = step.set["error"]
    assert isinstance(error, GenerationError)
    return error


def test_a_queued_generation_is_to_be_submitted() -> None:
    assert decide_without_submitting(a_generation(), now=NOW) is None


def test_a_cancelled_wish_is_never_submitted() -> None:
    step = decide_without_submitting(
        a_generation(cancel_requested_at=NOW, webhook=ENDPOINT), now=NOW
    )
    assert step is not None
    assert step.to is Status.CANCELLED
    assert step.due is None
    assert step.set["cancel_outcome"] == "cancelled"
    assert step.tell == NewDelivery(ENDPOINT, Status.CANCELLED, "studio")


def test_a_generation_past_its_deadline_is_not_submitted() -> None:
    generation = a_generation(deadline=NOW)
    assert decide_without_submitting(generation, now=NOW - SECOND) is None
    step = decide_without_submitting(generation, now=NOW)
    assert step is not None
    assert step.to is Status.FAILED
    assert error_of(step).code is ErrorCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("late", [timedelta(), timedelta(days=2)])
@pytest.mark.parametrize("cancel_requested_at", [None, NOW])
def test_an_intent_without_an_answer_is_uncertain_before_anything_else(
    late: timedelta, cancel_requested_at: object
) -> None:
    generation = a_generation(status=Status.SUBMITTING, cancel_requested_at=cancel_requested_at)
    with pytest.raises(SubmissionUncertain, match="may or may not have accepted"):
        decide_without_submitting(generation, now=NOW + late)


def test_the_intent_counts_as_paid_and_is_due_when_its_lease_ends() -> None:
    step = intend(Leases({Lane.SUBMISSIONS: 65 * SECOND}))
    assert step.to is Status.SUBMITTING
    assert step.due is not None
    assert step.due.lane is Lane.SUBMISSIONS
    assert step.due.delay > 65 * SECOND
    assert step.add == {"submissions": 1}
    assert step.tell is None


def test_what_runcomfy_accepted_is_polled_a_second_later() -> None:
    step = submitted(a_generation(), "rc-1", draw=MIDDLE)
    assert step.to is Status.IN_QUEUE
    assert step.due == Due(Lane.POLLS, SECOND)
    assert step.set["runcomfy_request_id"] == "rc-1"
    assert step.set["failures"] == 0
    assert step.tell is None


def test_in_queue_is_told_only_to_those_who_asked() -> None:
    asked = a_generation(webhook=ENDPOINT, webhook_intermediate_status=True)
    step = submitted(asked, "rc-1", draw=MIDDLE)
    assert step.tell == NewDelivery(ENDPOINT, Status.IN_QUEUE, "studio")
    assert submitted(a_generation(webhook=ENDPOINT), "rc-1", draw=MIDDLE).tell is None


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (1, 2), (4, 16), (60, 16)])
def test_what_was_proved_not_sent_is_queued_again_and_not_paid(failures: int, seconds: int) -> None:
    step = not_sent(a_generation(failures=failures), RunComfyUnavailable(), draw=MIDDLE)
    assert step.to is Status.QUEUED
    assert step.due == Due(Lane.SUBMISSIONS, seconds * SECOND)
    assert step.add == {"submissions": -1, "failures": 1}
    assert step.tell is None


def test_a_wish_to_be_left_alone_is_granted() -> None:
    error = RunComfyUnavailable(retry_after=90 * SECOND)
    step = not_sent(a_generation(), error, draw=MIDDLE)
    assert step.due == Due(Lane.SUBMISSIONS, 90 * SECOND)


@pytest.mark.parametrize(
    ("no_balance", "code"),
    [(False, ErrorCode.REJECTED), (True, ErrorCode.INSUFFICIENT_BALANCE)],
)
def test_what_runcomfy_refused_fails_with_its_words_and_is_not_paid(
    no_balance: bool, code: ErrorCode
) -> None:
    error = RunComfyRejected("duration: too short", no_balance=no_balance)
    generation = a_generation(status=Status.SUBMITTING, webhook=ENDPOINT)
    step = rejected(generation, error)
    assert step.to is Status.FAILED
    assert step.due is None
    assert error_of(step) == GenerationError(code, "duration: too short")
    assert step.add == {"submissions": -1}
    assert step.tell == NewDelivery(ENDPOINT, Status.FAILED, "studio")


def test_a_lost_answer_fails_and_counts_as_paid() -> None:
    generation = a_generation(status=Status.SUBMITTING, webhook=ENDPOINT)
    step = uncertain(generation, LOST, policy=OnUncertain.FAIL)
    assert step.to is Status.FAILED
    assert error_of(step) == GenerationError(ErrorCode.SUBMISSION_UNCERTAIN, "The answer was lost.")
    assert step.add == {}
    assert step.tell == NewDelivery(ENDPOINT, Status.FAILED, "studio")


def test_who_would_rather_pay_twice_is_submitted_again() -> None:
    step = uncertain(a_generation(status=Status.SUBMITTING), LOST, policy=OnUncertain.RESUBMIT)
    assert step.to is Status.QUEUED
    assert step.due == Due(Lane.SUBMISSIONS)
    assert step.set["possible_duplicate_charge"]
    assert "submissions" not in step.add


def test_nobody_is_submitted_again_twice() -> None:
    twice = a_generation(status=Status.SUBMITTING, possible_duplicate_charge=True)
    step = uncertain(twice, LOST, policy=OnUncertain.RESUBMIT)
    assert error_of(step).code is ErrorCode.SUBMISSION_UNCERTAIN


@pytest.mark.parametrize(
    ("asked", "pause"),
    [(None, SECOND), (30 * SECOND, 30 * SECOND), (timedelta(days=9), timedelta(hours=1))],
)
def test_a_throttled_submission_is_back_in_line_uncounted_and_pauses_everybody(
    asked: timedelta | None, pause: timedelta
) -> None:
    step = throttled(RunComfyThrottled(retry_after=asked), draw=MIDDLE)
    assert step == Step(
        to=Status.QUEUED, due=Due(Lane.SUBMISSIONS), add={"submissions": -1}, pause=pause
    )
