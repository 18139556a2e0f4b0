"""Cancelling, the same on both faces: at once where we can, else wait for RunComfy's word."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from api_gateway.parts import Parts
from api_gateway.schemas import CancelOutcome
from generations.lifecycle import Status
from generations.logs import logger
from generations.model import Generation
from generations.store import CancelAnswer

log = logger(__name__)

#: Seconds between two looks at a record that a worker is about to change.
LOOK_EVERY: Final = 0.05
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


async def _wait_for_word(generation_id: str, parts: Parts) -> Cancelled:
    give_up = time.monotonic() + parts.settings.cancel_wait.total_seconds()
    while True:
        found = await parts.store.find(generation_id)
        if found.status is Status.QUEUED:
            # The submission was proved not sent while we asked: nothing has to wait any more.
            await parts.store.cancel(found)
            found = await parts.store.find(generation_id)
        outcome = decide_outcome(found)
        if outcome != "cancellation_requested" or time.monotonic() >= give_up:
            return Cancelled(found, outcome)
        await asyncio.sleep(LOOK_EVERY)


def decide_outcome(generation: Generation) -> CancelOutcome:
    """What a cancel that was asked for has come to by now."""
    if generation.status is Status.CANCELLED:
        return "cancelled"
    word = generation.cancel_outcome
    if generation.is_finished or (word is not None and word not in UNDER_WAY):
        return "not_cancellable"
    return "cancellation_requested"
