"""Keeping to what RunComfy may get: waits before calls, pauses after a 429, wider gaps."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

from generations.due import Claim
from generations.errors import RunComfyThrottled
from generations.lifecycle import is_finished
from generations.model import Generation
from generations.pacing import decide_backoff
from generations.steps import Due, Lane, Step
from worker.clients import Clients

#: How far apart polls are at most, however few calls there are.
LONGEST_STRETCHED: Final = timedelta(minutes=30)


async def wait_for_call(claim: Claim, clients: Clients) -> None:
    """Wait until it is this claim's turn to call RunComfy; raises Stopping where it never is."""
    if claim.call_in:
        await clients.calls.make(asyncio.sleep(claim.call_in.total_seconds()))


def look_after_pause(generation: Generation, error: RunComfyThrottled, *, draw: float) -> Step:
    """RunComfy asked for fewer requests: everybody waits, and nothing is counted."""
    pause = pause_for(error, draw=draw)
    # A cancel that waits for RunComfy's word waits for the pause as well.
    is_known = generation.is_cancel_pending
    return Step(due=Due(Lane.POLLS, pause), pause=pause, cancel_known=is_known)


def pause_for(error: RunComfyThrottled, *, draw: float) -> timedelta:
    """How long everybody leaves RunComfy alone."""
    return decide_backoff(failures=1, retry_after=error.retry_after, draw=draw)


def stretched(step: Step, clients: Clients) -> Step:
    """The same step with its next poll later, where there are fewer calls than polls want."""
    # A look for the cost of what has ended is no poll of many.
    if step.due is None or (step.to is not None and is_finished(step.to)):
        return step
    clients.due.gaps.note(step.due.delay)
    delay = min(step.due.delay * clients.due.stretch, max(LONGEST_STRETCHED, step.due.delay))
    return replace(step, due=replace(step.due, delay=delay))
