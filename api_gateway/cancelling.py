"""Cancelling, the same on both faces: at once where we can, else wait for RunComfy's word."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Final

from api_gateway.parts import Parts
from api_gateway.schemas import CancelOutcome
from generations.lifecycle import Status, is_finished
from generations.logs import logger
from generations.model import Generation
from generations.selection import Filter, Place
from generations.store import CancelAnswer

log = logger(__name__)

#: Generations that one call cancels at most, and at the same time.
MOST_CANCELLED: Final = 500
CANCELLED_AT_ONCE: Final = 32
UNFINISHED: Final = frozenset(status for status in Status if not is_finished(status))
#: Words of RunComfy's after which the status still has to follow.
UNDER_WAY: Final = frozenset({"cancelled", "cancellation_requested"})


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A generation as a cancel left it, and what the cancel came to."""

    generation: Generation
    outcome: CancelOutcome

    @property
    def is_open(self) -> bool:
        """Whether the outcome may still change."""
        return self.outcome == "cancellation_requested"


async def cancel_once(generation: Generation, parts: Parts) -> Cancelled:
    """Cancel a generation, and wait for what comes of it as long as the settings say."""
    answer = await parts.store.cancel(generation)
    if answer is CancelAnswer.REQUESTED:
        cancelled = await _wait_for_word(generation.id, parts)
    else:
        found = await parts.store.find(generation.id)
        is_cancelled = answer is CancelAnswer.CANCELLED
        cancelled = Cancelled(found, "cancelled" if is_cancelled else "not_cancellable")
    log.info(
        "generation.cancel_answered",
        generation_id=generation.id,
        origin=generation.origin,
        outcome=cancelled.outcome,
    )
    return cancelled


@dataclass(frozen=True, slots=True)
class CancelledMany:
    """What one call cancelled; the ids are the newest first."""

    cancelled: list[str]
    #: Those that RunComfy is asked for now; the record says what it answers.
    requested: list[str]
    #: Where to go on; None where nothing that is meant comes after these.
    next: Place | None


async def cancel_many(
    wanted: Filter, parts: Parts, *, origin: str, after: Place | None
) -> CancelledMany:
    """Cancel what is meant and has not finished, so many at a time; wait for no word of RunComfy's.

    What is accepted meanwhile is newer, and left alone.
    """
    statuses = (wanted.statuses or frozenset(Status)) & UNFINISHED
    if not statuses:
        return CancelledMany([], [], None)
    unfinished = replace(wanted, statuses=statuses)
    page = await parts.listing.page(unfinished, origin=origin, limit=MOST_CANCELLED, after=after)
    answers: list[CancelAnswer] = []
    for start in range(0, len(page.rows), CANCELLED_AT_ONCE):
        some = page.rows[start : start + CANCELLED_AT_ONCE]
        answers += await asyncio.gather(*map(parts.store.cancel, some))
    by_answer: dict[CancelAnswer, list[str]] = {answer: [] for answer in CancelAnswer}
    for generation, answer in zip(page.rows, answers, strict=True):
        by_answer[answer].append(generation.id)
    log.info("generations.cancelled", origin=origin, **{a: len(i) for a, i in by_answer.items()})
    return CancelledMany(
        by_answer[CancelAnswer.CANCELLED], by_answer[CancelAnswer.REQUESTED], page.next
    )


async def _wait_for_word(generation_id: str, parts: Parts) -> Cancelled:
    give_up = time.monotonic() + parts.settings.cancel_wait.total_seconds()
    with parts.moves.watch(generation_id) as watch:
        while True:
            found = await parts.store.find(generation_id)
            if found.status is Status.QUEUED:
                # The submission was proved not sent while we asked: nothing has to wait any more.
                await parts.store.cancel(found)
                found = await parts.store.find(generation_id)
            outcome = decide_outcome(found)
            left = give_up - time.monotonic()
            if outcome != "cancellation_requested" or left <= 0 or parts.moves.is_over:
                return Cancelled(found, outcome)
            await watch.rung(seconds=left)


def decide_outcome(generation: Generation) -> CancelOutcome:
    """What a cancel that was asked for has come to by now."""
    if generation.status is Status.CANCELLED:
        return "cancelled"
    word = generation.cancel_outcome
    if generation.is_finished or (word is not None and word not in UNDER_WAY):
        return "not_cancellable"
    return "cancellation_requested"
