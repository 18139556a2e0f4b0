"""Looking at RunComfy for a generation that it has, and deciding what follows."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from generations.due import Claim
from generations.durations import UNKNOWN, Pace, Ran
from generations.errors import RunComfyThrottled, RunComfyUnavailable
from generations.lifecycle import Status, is_finished
from generations.logs import logger
from generations.metrics import DETECTION_SECONDS, POLLS, POLLS_PER_GENERATION
from generations.model import ErrorCode, Generation
from generations.pacing import decide_backoff, decide_next_poll
from generations.steps import Due, Lane, Step, fail, finish, telling
from generations.traces import Span, span
from worker.claims import THROTTLED, UNANSWERED, UNASKED, settle
from worker.clients import Clients
from worker.costs import FIRST_LOOK, look_for_cost_once
from worker.looks import began_at, end_seen, look_at
from worker.pauses import look_after_pause, stretched, wait_for_call
from worker.runcomfy.protocol import NotThere, Observation

log = logger(__name__)

#: That RunComfy does not know a request is believed when it has said so this often, and for so
#: long: a deploy on its side, or a replica that lags, must not fail what is paid for.
MISSES: Final = 5
BELIEVED_AFTER: Final = timedelta(minutes=10)
#: Polls of one generation that are traced whatever comes of them; later ones, if it moved.
TRACED_POLLS: Final = 20
#: RunComfy may know the cost of what succeeded only some seconds later.
LATE_COST: Final = Due(Lane.POLLS, FIRST_LOOK)
ANSWERED: Final = {"failures": 0, "misses": 0, "missing_since": None}


async def poll_once(claim: Claim, generation: Generation, clients: Clients) -> str:
    """Look at one generation that was claimed; the word for what came of it."""
    if generation.is_finished:
        return await look_for_cost_once(claim, generation, clients)
    if claim.taken_at >= generation.deadline:
        step = fail(
            generation,
            ErrorCode.DEADLINE_EXCEEDED,
            "The generation was not finished before its deadline; RunComfy may still charge it.",
        )
        await settle(claim, step, clients)
        return UNASKED
    try:
        await wait_for_call(claim, clients)
        look = _cancel_or_look if generation.is_cancel_pending else _look
        with _span(generation) as one:
            one.collect(generation.polls + generation.failures < TRACED_POLLS)
            looking = look(generation, clients, now=claim.taken_at)
            step, end = await clients.calls.make(looking)
            one.collect(step.to is not None)
    except RunComfyThrottled as exc:
        log.warning("poll.throttled")
        await settle(claim, look_after_pause(generation, exc, draw=clients.draw()), clients)
        return THROTTLED
    except RunComfyUnavailable as exc:
        log.warning("poll.unanswered", reason=exc.code)
        await settle(claim, look_later(generation, exc, draw=clients.draw()), clients)
        return UNANSWERED
    word = await settle(claim, step, clients)
    if end is not None and word == step.to:
        await clients.durations.note(generation, end)
    return word


def _span(generation: Generation) -> Span:
    number, ids = generation.polls + 1, {"generation_id": generation.id}
    return span("generation.poll", generation.trace, "client", poll=number, **ids)


def count_polls(words: Iterable[str]) -> None:
    """Count what polls came to, in the words of :func:`poll_once`."""
    for word, count in Counter(words).items():
        POLLS.labels(word).inc(count)


def _count_end(
    generation: Generation, seen: Observation | NotThere, end: Ran | None, *, now: datetime
) -> None:
    if isinstance(seen, NotThere) or seen.status is None or not is_finished(seen.status):
        return
    POLLS_PER_GENERATION.observe(generation.polls + 1)
    if seen.finished_at is not None:
        # Where RunComfy's clock is ahead of ours, it was seen at once as far as we can tell.
        delay = max((now - seen.finished_at).total_seconds(), 0)
        DETECTION_SECONDS.labels("runcomfy").observe(delay)
    elif end is not None:
        # Somewhere between two looks: half of it, on the average.
        DETECTION_SECONDS.labels("estimated").observe((end.most - end.least) / 2)


async def _look(
    generation: Generation, clients: Clients, *, now: datetime
) -> tuple[Step, Ran | None]:
    """What follows, and how long it took if it is seen to have ended."""
    # Before the look, so that nothing of Redis can come between an answer and its settle.
    pace = await clients.durations.pace_of(generation)
    # A generation in this lane was submitted, so RunComfy's id is on its record.
    began = monotonic()
    seen = await clients.runcomfy.look(generation.runcomfy_request_id or "")
    step = decide_poll(generation, seen, now=now, draw=clients.draw(), pace=pace)
    end = end_seen(generation, seen, now=now)
    _count_end(generation, seen, end, now=now + timedelta(seconds=monotonic() - began))
    return stretched(step, clients), end


async def _cancel_or_look(
    generation: Generation, clients: Clients, *, now: datetime
) -> tuple[Step, Ran | None]:
    # Several calls, each with its own limit, must not outlast the lease.
    try:
        async with asyncio.timeout(clients.settings.poll_timeout.total_seconds()):
            outcome = await _ask_to_cancel(generation.runcomfy_request_id or "", clients)
            if outcome is not None:
                return decide_cancel(generation, outcome), None
            await clients.runcomfy.wait_for_call()
            return await _look(generation, clients, now=now)
    except TimeoutError as exc:
        raise RunComfyUnavailable("RunComfy did not answer in time.") from exc


async def _ask_to_cancel(request_id: str, clients: Clients) -> str | None:
    """RunComfy's word; None where it gave none, and the generation is to be looked at instead."""
    try:
        outcome = await clients.runcomfy.cancel(request_id)
    except RunComfyThrottled:
        raise
    except RunComfyUnavailable as exc:
        # It may have ended all the same: a cancel that fails for ever must not hide that.
        log.warning("cancel.unanswered", reason=exc.code)
        return None
    log.info("cancel.answered", outcome=outcome)
    return outcome


def decide_cancel(generation: Generation, outcome: str) -> Step:
    """What RunComfy's word on a cancel means for the generation."""
    if outcome == "cancelled":
        return finish(generation, Status.CANCELLED, cancel_outcome=outcome)
    return Step(due=Due(Lane.POLLS), set={"cancel_outcome": outcome, **ANSWERED})


def decide_poll(
    generation: Generation,
    seen: Observation | NotThere,
    *,
    now: datetime,
    draw: float,
    pace: Pace = UNKNOWN,
) -> Step:
    """What a poll's answer means for the generation."""
    if isinstance(seen, NotThere):
        return _missed(generation, now=now, draw=draw)
    step = _ended(generation, seen)
    if step is None:
        progress = look_at(generation, seen, now=now)
        wait = decide_next_poll(polls=generation.polls + 1, draw=draw, pace=pace, progress=progress)
        step = _still_running(generation, seen, now=now, wait=wait)
    return replace(step, add={"polls": 1})


def look_later(generation: Generation, error: RunComfyUnavailable, *, draw: float) -> Step:
    """RunComfy gave no usable answer, which says nothing about the generation."""
    wait = decide_backoff(
        failures=generation.failures + 1, retry_after=error.retry_after, draw=draw
    )
    return Step(
        due=Due(Lane.POLLS, wait),
        add={"failures": 1},
        cancel_known=generation.is_cancel_pending,
    )


def _ended(generation: Generation, seen: Observation) -> Step | None:
    match seen.status:
        case Status.SUCCEEDED:
            step = finish(
                generation, Status.SUCCEEDED, output=seen.output, cost=seen.cost, **ANSWERED
            )
            return step if seen.cost is not None else replace(step, due=LATE_COST)
        case Status.FAILED:
            message = seen.error or "RunComfy gave no reason."
            return fail(
                generation, ErrorCode.GENERATION_FAILED, message, cost=seen.cost, **ANSWERED
            )
        case Status.CANCELLED:
            return finish(generation, Status.CANCELLED, **ANSWERED)
        case _:
            return None


def _still_running(
    generation: Generation, seen: Observation, *, now: datetime, wait: timedelta
) -> Step:
    begins = seen.status is Status.IN_PROGRESS and generation.status is Status.IN_QUEUE
    facts = {"queue_position": seen.queue_position, "looked_at": now, **ANSWERED}
    if seen.status is Status.IN_PROGRESS and generation.running_since is None:
        facts["running_since"] = began_at(generation, now)
    return Step(
        to=Status.IN_PROGRESS if begins else None,
        due=Due(Lane.POLLS, wait),
        set=facts,
        tell=telling(generation, Status.IN_PROGRESS) if begins else None,
        cancel_known=generation.is_cancel_pending,
    )


def _missed(generation: Generation, *, now: datetime, draw: float) -> Step:
    misses, since = generation.misses + 1, generation.missing_since or now
    if misses >= MISSES and now - since >= BELIEVED_AFTER:
        return fail(
            generation,
            ErrorCode.RESULT_UNAVAILABLE,
            "RunComfy no longer knows the generation, or has no output for it.",
        )
    wait = decide_backoff(failures=misses, retry_after=None, draw=draw)
    return Step(
        due=Due(Lane.POLLS, wait),
        add={"misses": 1},
        set={"failures": 0, "missing_since": since},
        cancel_known=generation.is_cancel_pending,
    )
