"""Asking for the cost of what has succeeded: RunComfy may know it only some seconds later.

The one thing that is still due for a finished generation. It is asked for in the polls lane,
more and more rarely, until it is known or an hour is over; nothing waits for it, the callback
neither.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from generations.due import Claim
from generations.errors import RunComfyThrottled, RunComfyUnavailable
from generations.logs import logger
from generations.model import Generation
from generations.steps import Due, Lane, Step
from worker.claims import THROTTLED, UNANSWERED, settle
from worker.clients import Clients
from worker.pauses import look_after_pause, wait_for_call

log = logger(__name__)

FIRST_LOOK: Final = timedelta(seconds=5)
#: Each look waits so many times as long as the generation is finished by then.
GROWTH: Final = 3
GIVEN_UP_AFTER: Final = timedelta(hours=1)


async def look_for_cost_once(claim: Claim, generation: Generation, clients: Clients) -> str:
    """Ask once for the cost of a finished generation; the word for what came of it."""
    request_id, now = generation.runcomfy_request_id or "", claim.taken_at
    try:
        await wait_for_call(claim, clients)
        cost = await clients.calls.make(clients.runcomfy.find_cost(request_id))
    except RunComfyThrottled as exc:
        log.warning("cost.throttled")
        later = replace(look_after_pause(generation, exc, draw=clients.draw()), cancel_known=True)
        await settle(claim, later, clients)
        return THROTTLED
    except RunComfyUnavailable as exc:
        log.warning("cost.unanswered", reason=exc.code)
        await settle(claim, decide_cost(generation, None, now=now, asked=exc.retry_after), clients)
        return UNANSWERED
    await settle(claim, decide_cost(generation, cost, now=now), clients)
    return "asked for the cost" if cost is None else "cost known"


def decide_cost(
    generation: Generation,
    cost: float | None,
    *,
    now: datetime,
    asked: timedelta | None = None,
) -> Step:
    """What a look for the cost means; ``asked`` is how long RunComfy wants to be left alone."""
    if cost is not None:
        return Step(due=None, set={"cost": cost, "cost_late": "1"})
    age = now - (generation.finished_at or now)
    if age >= GIVEN_UP_AFTER:
        log.info("cost.given_up")
        return Step(due=None)
    wait = max(FIRST_LOOK, age * GROWTH, asked or timedelta())
    # A cancel that nobody answered does not hurry it.
    return Step(due=Due(Lane.POLLS, wait), cancel_known=True)
