"""A worker killed with SIGKILL wherever it may be: everything goes on when a lease ends.

One kill for all of it: each generation is brought to its place, the worker that holds them
all is killed, and another one is started. Next to RunComfy's answers the places are narrower:
``test_kills_around_submitting.py``. A result and the delivery that tells of it are written in
one step, so there is no place between the two.
"""

import threading
from dataclasses import dataclass, fields

import pytest

from tests.acceptance.broker import LANES
from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.receiver import Endpoint
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually


@dataclass(frozen=True, slots=True)
class Case:
    """A generation, and the endpoint that is told of it."""

    given: Body
    request_id: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Killed:
    """Where each generation was when its worker was killed."""

    before_intent: Case
    in_submission: Case
    after_submission: Case
    in_poll: Case
    before_attempt: Case
    in_attempt: Case
    after_attempt: Case


@pytest.fixture(scope="module")
def killed(stack_to_break: Stack, brave: OriginClient) -> Killed:
    stack = stack_to_break
    stack.start()
    (worker,) = stack.workers
    is_dead, may_answer = threading.Event(), threading.Event()

    def answer_but_let_nothing_be_written() -> None:
        may_answer.wait(30)
        if not is_dead.is_set():
            stack.broker.pause_writes()

    in_poll = submitted(brave, "[[sim:status:hang]]")
    in_attempt = submitted(brave, before_answer=lambda: is_dead.wait(30))
    after_attempt = submitted(brave, before_answer=answer_but_let_nothing_be_written)
    stack.runcomfy.wait_for_call(in_poll.given, "status")
    for case in (in_attempt, after_attempt):
        case.endpoint.wait_for()
    stack.broker.hold_back("deliveries", workers=1)
    before_attempt = submitted(brave)
    stack.broker.wait_for_message("deliveries", delivery_of(before_attempt, brave))
    stack.broker.hold_back("polls", workers=1)
    after_submission = submitted(brave)
    brave.wait_until(after_submission.request_id, "in_queue")
    in_submission = submitted(brave, "[[sim:hang]]")
    eventually(lambda: stack.runcomfy.paid_for(in_submission.given), "it is paid")
    stack.broker.hold_back("submissions", workers=1)
    before_intent = submitted(brave)
    stack.broker.wait_for_message("submissions", before_intent.request_id)
    told = delivery_of(after_attempt, brave)
    may_answer.set()
    eventually(
        lambda: worker.has_logged("delivery.attempted", told, '"status_code":200'),
        "the worker has the endpoint's answer",
    )

    worker.kill()
    is_dead.set()
    stack.broker.go_on_writing()
    for lane in LANES:
        stack.broker.lose(lane)
    worker.start()
    return Killed(
        before_intent,
        in_submission,
        after_submission,
        in_poll,
        before_attempt,
        in_attempt,
        after_attempt,
    )


def submitted(origin: OriginClient, words: str = "", **how: object) -> Case:
    """A generation, submitted; ``how`` is its endpoint's."""
    endpoint, given = origin.endpoint(), an_input(words)
    for name, value in how.items():
        setattr(endpoint, name, value)
    return Case(given, origin.submit(given, webhook=endpoint.url), endpoint)


def delivery_of(case: Case, origin: OriginClient) -> str:
    """The id of its delivery, once it has one."""

    def look() -> str | None:
        return next((d["id"] for d in origin.record(case.request_id)["deliveries"]), None)

    return eventually(look, "there is something to tell")


def test_a_claim_that_was_lost_before_the_intent_is_claimed_again(
    killed: Killed, stack_to_break: Stack
) -> None:
    case = killed.before_intent
    callback = case.endpoint.wait_for_event("generation.succeeded")

    assert callback.told["submissions"] == 1
    assert len(stack_to_break.runcomfy.paid_for(case.given)) == 1


def test_a_submission_without_its_answer_is_uncertain_and_never_paid_twice(
    killed: Killed, stack_to_break: Stack
) -> None:
    case = killed.in_submission
    callback = case.endpoint.wait_for_event("generation.failed")

    assert callback.told["error"]["code"] == "submission_uncertain"
    assert callback.told["submissions"] == 1
    assert len(stack_to_break.runcomfy.paid_for(case.given)) == 1


def test_a_submission_on_record_is_polled_and_not_made_again(
    killed: Killed, stack_to_break: Stack
) -> None:
    case = killed.after_submission
    callback = case.endpoint.wait_for_event("generation.succeeded")

    assert callback.told["submissions"] == 1
    assert len(stack_to_break.runcomfy.paid_for(case.given)) == 1


def test_a_poll_without_its_settle_is_made_again(
    killed: Killed, stack_to_break: Stack, brave: OriginClient
) -> None:
    case = killed.in_poll
    case.endpoint.wait_for_event("generation.succeeded")

    record = brave.record(case.request_id)
    (paid,) = stack_to_break.runcomfy.paid_for(case.given)
    calls = stack_to_break.runcomfy.request(paid["request_id"])["calls"]
    assert (calls["status"], record["polls"]) == (2, 1)


def test_a_result_on_record_is_told_although_no_attempt_had_begun(
    killed: Killed, brave: OriginClient
) -> None:
    case = killed.before_attempt
    case.endpoint.wait_for_event("generation.succeeded")

    brave.wait_until_delivered(case.request_id)
    assert len(case.endpoint.callbacks) == 1


def test_an_attempt_without_its_answer_is_made_again_with_the_same_id(killed: Killed) -> None:
    first, second = killed.in_attempt.endpoint.wait_for(2)

    assert first.event_id == second.event_id
    assert first.body == second.body


def test_an_attempt_that_was_taken_but_not_noted_is_made_again_with_the_same_id(
    killed: Killed, brave: OriginClient
) -> None:
    first, second = killed.after_attempt.endpoint.wait_for(2)

    assert first.event_id == second.event_id
    assert first.body == second.body

    brave.wait_until_delivered(killed.after_attempt.request_id)
    assert len(killed.after_attempt.endpoint.callbacks) == 2


def test_whatever_was_held_by_the_killed_worker_ends(killed: Killed, brave: OriginClient) -> None:
    for place in fields(Killed):
        case: Case = getattr(killed, place.name)
        end = "failed" if case is killed.in_submission else "succeeded"
        assert brave.wait_until_finished(case.request_id)["status"] == end, place.name
