"""Handing a generation to RunComfy: at most once, with the intent on record before."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Final

from generations.due import Claim, Unsettled
from generations.durations import UNKNOWN, Pace, Progress, is_start_told
from generations.errors import (
    RunComfyRejected,
    RunComfyThrottled,
    RunComfyUnavailable,
    SubmissionUncertain,
)
from generations.lifecycle import Status
from generations.logs import logger
from generations.metrics import SUBMISSIONS
from generations.model import ErrorCode, Generation, OnUncertain
from generations.pacing import decide_backoff, decide_next_poll
from generations.steps import Due, Lane, Step, fail, finish, telling
from generations.traces import span
from worker.calls import Stopping
from worker.claims import (
    GIVEN_BACK,
    THROTTLED,
    UNANSWERED,
    UNASKED,
    settle,
)
from worker.clients import Clients
from worker.leases import MARGIN, Leases
from worker.pauses import pause_for, stretched, wait_for_call
from worker.preflight import preflight_once

log = logger(__name__)

UNKNOWN_OUTCOME: Final = (
    "The worker stopped between sending the submission and noting RunComfy's answer: "
    "RunComfy may or may not have accepted it."
)
STOPPED: Final = (
    "The worker was stopped before RunComfy answered the submission: "
    "RunComfy may or may not have accepted it."
)
#: The worker ends before anything was sent: queued again, for another one.
NOT_BEGUN: Final = Step(to=Status.QUEUED, due=Due(Lane.SUBMISSIONS), add={"submissions": -1})
TOO_LATE: Final = "The generation was not finished before its deadline."


async def submit_once(claim: Claim, generation: Generation, clients: Clients) -> str:
    """Submit one generation that was claimed; the word for what came of it."""
    clients.calls.check()
    try:
        step = await _instead_of_submitting(claim, generation, clients)
    except SubmissionUncertain as exc:
        await _settle_uncertain(claim, generation, exc, clients)
        return UNASKED
    if step is not None:
        word = await settle(claim, step, clients)
        return word if word == Unsettled.LOST else UNASKED
    # Before the intent: nothing may come between that and the submission.
    pace = await clients.durations.pace_of(generation)
    intended = await _note_intent(claim, clients)
    if isinstance(intended, Unsettled):
        return intended
    return await _submit_and_settle(intended, generation, clients, pace=pace)


async def _submit_and_settle(
    claim: Claim, generation: Generation, clients: Clients, *, pace: Pace
) -> str:
    try:
        step = await _submit(claim, generation, clients, pace=pace)
    except SubmissionUncertain as exc:
        await _settle_uncertain(claim, generation, exc, clients)
        return UNANSWERED
    word = await settle(claim, step, clients)
    if step.to is Status.QUEUED:
        return GIVEN_BACK if step == NOT_BEGUN else THROTTLED if step.pause else UNANSWERED
    return word


async def _settle_uncertain(
    claim: Claim, generation: Generation, exc: SubmissionUncertain, clients: Clients
) -> None:
    log.warning("submission.uncertain")
    SUBMISSIONS.labels("uncertain").inc()
    step = uncertain(generation, exc, policy=await _policy_of(generation, clients))
    await settle(claim, step, clients)


async def _instead_of_submitting(
    claim: Claim, generation: Generation, clients: Clients
) -> Step | None:
    """What is to be written before, or without, a submission; None where it is its turn."""
    step = decide_without_submitting(generation, now=claim.taken_at)
    return step or await preflight_once(generation, clients)


async def _note_intent(claim: Claim, clients: Clients) -> Claim | Unsettled:
    """Patiently: an intent whose answer is lost reads as a submission that may have been sent.

    But for no longer than the budget can spare beside the submission itself.
    """
    async with asyncio.timeout(MARGIN.total_seconds()):
        return await clients.due.try_settle(claim, intend(clients.leases), is_patient=True)


def decide_without_submitting(generation: Generation, *, now: datetime) -> Step | None:
    """What ends a claimed generation without a submission; None where it is to be submitted.

    Raises:
        SubmissionUncertain: the intent is on record already; whoever had it noted no answer.
    """
    if generation.status is Status.SUBMITTING:
        raise SubmissionUncertain(UNKNOWN_OUTCOME)
    if generation.is_cancel_pending:
        return finish(generation, Status.CANCELLED, cancel_outcome="cancelled")
    if now >= generation.deadline:
        return fail(generation, ErrorCode.DEADLINE_EXCEEDED, TOO_LATE)
    return None


def intend(leases: Leases) -> Step:
    """The intent to submit: on record before anything is sent."""
    return Step(
        to=Status.SUBMITTING,
        due=Due(Lane.SUBMISSIONS, leases.lease(Lane.SUBMISSIONS)),
        add={"submissions": 1},
    )


async def _submit(claim: Claim, generation: Generation, clients: Clients, *, pace: Pace) -> Step:
    try:
        await wait_for_call(claim, clients)
    except Stopping:
        return NOT_BEGUN
    call = clients.runcomfy.submit(generation.model_id, generation.input)
    try:
        with span(
            "generation.submit", generation.trace, "client", generation_id=generation.id
        ) as one:
            request_id = await clients.calls.make(call)
            one.note(runcomfy_request_id=request_id)
    except RunComfyThrottled as exc:
        log.warning("submission.throttled")
        SUBMISSIONS.labels("not_sent").inc()
        return throttled(exc, draw=clients.draw())
    except RunComfyUnavailable as exc:
        log.warning("submission.not_sent", reason=exc.code)
        SUBMISSIONS.labels("not_sent").inc()
        return not_sent(generation, exc, draw=clients.draw())
    except RunComfyRejected as exc:
        log.info("submission.rejected")
        SUBMISSIONS.labels("rejected").inc()
        return rejected(generation, exc)
    except Stopping as exc:
        if not exc.has_begun:
            return NOT_BEGUN
        raise SubmissionUncertain(STOPPED) from None
    # On the log before it is on record: if it never gets there, it can be adopted from here.
    log.info("submission.accepted", runcomfy_request_id=request_id)
    SUBMISSIONS.labels("accepted").inc()
    return stretched(submitted(generation, request_id, draw=clients.draw(), pace=pace), clients)


async def _policy_of(generation: Generation, clients: Clients) -> OnUncertain:
    if generation.on_uncertain is not None:
        return generation.on_uncertain
    origin = await clients.origins.find(generation.origin)
    return origin.on_uncertain if origin else OnUncertain.FAIL


def submitted(
    generation: Generation,
    request_id: str,
    *,
    draw: float,
    pace: Pace = UNKNOWN,
) -> Step:
    """RunComfy has it; the first poll is due when there may be something to see."""
    progress = Progress(is_start_told=is_start_told(generation))
    wait = decide_next_poll(polls=0, draw=draw, pace=pace, progress=progress)
    return Step(
        to=Status.IN_QUEUE,
        due=Due(Lane.POLLS, wait),
        set={"runcomfy_request_id": request_id, "failures": 0},
        tell=telling(generation, Status.IN_QUEUE),
    )


def not_sent(generation: Generation, error: RunComfyUnavailable, *, draw: float) -> Step:
    """It is proved that RunComfy accepted nothing: queued again, after a while."""
    wait = decide_backoff(
        failures=generation.failures + 1, retry_after=error.retry_after, draw=draw
    )
    return Step(
        to=Status.QUEUED,
        due=Due(Lane.SUBMISSIONS, wait),
        add={"submissions": -1, "failures": 1},
    )


def throttled(error: RunComfyThrottled, *, draw: float) -> Step:
    """RunComfy accepted nothing and asked for fewer requests: back in line, uncounted."""
    return replace(NOT_BEGUN, pause=pause_for(error, draw=draw))


def rejected(generation: Generation, error: RunComfyRejected) -> Step:
    """RunComfy refused it, and so charges nothing."""
    code = ErrorCode.INSUFFICIENT_BALANCE if error.no_balance else ErrorCode.REJECTED
    return replace(fail(generation, code, error.message), add={"submissions": -1})


def uncertain(generation: Generation, error: SubmissionUncertain, *, policy: OnUncertain) -> Step:
    """Nobody knows: it fails, unless its origin would rather pay twice, and then only once."""
    if policy is OnUncertain.RESUBMIT and not generation.possible_duplicate_charge:
        return Step(
            to=Status.QUEUED,
            due=Due(Lane.SUBMISSIONS),
            set={"possible_duplicate_charge": "1"},
        )
    return fail(generation, ErrorCode.SUBMISSION_UNCERTAIN, error.message)
