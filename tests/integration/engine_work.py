"""What workers do with what they hold: the real decisions, over answers that a test draws."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from generations.due import Claim
from generations.errors import RunComfyRejected, RunComfyUnavailable, SubmissionUncertain
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Delivery, Generation, OnUncertain
from generations.steps import Due, Lane, Step, is_pointless
from tests.builders import NOW, an_attempt
from worker.costs import decide_cost
from worker.delivery import Attempted, decide_delivery
from worker.leases import Leases
from worker.polling import decide_cancel, decide_poll, look_later
from worker.runcomfy.protocol import NotThere, Observation
from worker.submission import (
    decide_without_submitting,
    intend,
    not_sent,
    rejected,
    submitted,
    uncertain,
)

LEASES: Final = Leases({lane: timedelta(minutes=5) for lane in Lane})
SILENT: Final = RunComfyUnavailable("Nothing came.")
#: One attempt more than waits.
SCHEDULE: Final = (timedelta(seconds=1),) * 2


class Answer(StrEnum):
    """What the world outside answers, in whichever lane; GOOD is what is hoped for."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    SILENT = "silent"
    STOPPED = "stopped"
    STRANGE = "strange"


#: Answers to a submission that prove that nothing has to be paid.
UNPAID: Final = frozenset({Answer.WAIT, Answer.BAD})


@dataclass(frozen=True, slots=True)
class Held:
    """A record that a worker took, as it was then."""

    claim: Claim
    record: Generation | Delivery
    #: The fence of the claim that was taken.
    taken_by: int
    #: Whether this worker noted its intent, and so sends the submission.
    is_sent: bool = False


def decide(held: Held, answer: Answer, *, generation: Generation, later: bool) -> Step:
    """What a worker that holds a record settles, due at once or in an hour.

    ``generation`` is what the store holds now, as a delivery reads it.
    """
    step = _decided(held, answer, generation)
    if step.due is None:
        return step
    # Waits of seconds would make a run depend on how fast the machine is.
    delay = timedelta(hours=1) if later else timedelta()
    return replace(step, due=Due(step.due.lane, delay))


def _decided(held: Held, answer: Answer, generation: Generation) -> Step:
    if isinstance(held.record, Delivery):
        return _attempted(held.record, answer, generation)
    if held.claim.lane is Lane.POLLS:
        return _looked(held.record, answer)
    if held.is_sent:
        return _answered(held.record, answer)
    return _without_submitting(held.record) or intend(LEASES)


def _without_submitting(generation: Generation) -> Step | None:
    try:
        return decide_without_submitting(generation, now=generation.created_at)
    except SubmissionUncertain as exc:
        return uncertain(generation, exc, policy=_policy(generation))


def _answered(generation: Generation, answer: Answer) -> Step:
    match answer:
        case Answer.GOOD:
            return submitted(generation, "rc-1", draw=0.5)
        case Answer.WAIT:
            return not_sent(generation, SILENT, draw=0.5)
        case Answer.BAD:
            return rejected(generation, RunComfyRejected("No."))
        case _:
            return uncertain(generation, SubmissionUncertain(), policy=_policy(generation))


def _looked(generation: Generation, answer: Answer) -> Step:
    if generation.is_finished:
        cost = 2.85 if answer is Answer.GOOD else None
        return decide_cost(generation, cost, now=generation.timeline[-1].at)
    if answer is Answer.SILENT:
        return look_later(generation, SILENT, draw=0.5)
    if generation.is_cancel_pending and answer in {Answer.GOOD, Answer.BAD}:
        return decide_cancel(generation, "cancelled" if answer is Answer.GOOD else "too_late")
    if answer is Answer.STRANGE:
        return decide_poll(generation, NotThere(), now=NOW, draw=0.5)
    seen = {
        Answer.GOOD: Status.SUCCEEDED,
        Answer.WAIT: Status.IN_PROGRESS,
        Answer.BAD: Status.FAILED,
        Answer.STOPPED: Status.CANCELLED,
    }
    return decide_poll(generation, Observation(seen[answer]), now=NOW, draw=0.5)


def _attempted(delivery: Delivery, answer: Answer, generation: Generation) -> Step:
    if is_pointless(delivery, generation):
        return Step(due=None, to=DeliveryStatus.SUPERSEDED)
    status_code = {Answer.GOOD: 200, Answer.BAD: 410}.get(answer, 503)
    attempt = an_attempt(number=delivery.attempts_made + 1, at=NOW, status_code=status_code)
    return decide_delivery(Attempted(attempt), schedule=SCHEDULE, draw=0.5)


def _policy(generation: Generation) -> OnUncertain:
    return generation.on_uncertain or OnUncertain.FAIL
