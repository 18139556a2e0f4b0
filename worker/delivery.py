"""Telling an endpoint one event: one signed POST per attempt, again by schedule."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from generations.due import Claim
from generations.errors import AddressNotAllowed, EndpointUnavailable, GenerationNotFound
from generations.lifecycle import DeliveryStatus
from generations.logs import logger
from generations.model import Attempt, Delivery, Generation
from generations.pacing import AttemptAgain, decide_next_attempt
from generations.steps import Due, Lane, Step
from worker.answers import Answer, retry_after
from worker.callbacks import compose, endpoint_now
from worker.claims import settle
from worker.clients import Clients

log = logger(__name__)

#: How long an event waits for an earlier one that is on its way.
TURN_INTERVAL: Final = timedelta(milliseconds=200)
#: What is on record of an attempt that had nowhere to go.
NO_DEFAULT: Final = "The origin has no default endpoint any more."


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of one attempt, and what the endpoint asked for."""

    attempt: Attempt
    retry_after: timedelta | None = None
    #: The endpoint; None where there was none to go to.
    went_to: str | None = None


async def attempt_once(claim: Claim, delivery: Delivery, clients: Clients) -> str:
    """Attempt one delivery that was claimed; the word for what came of it."""
    try:
        generation = await clients.store.find(delivery.generation_id)
    except GenerationNotFound:
        # It is kept until its end was told; somebody deleted it, and nothing is left to tell.
        return await settle(claim, Step(due=None, to=DeliveryStatus.EXHAUSTED), clients)
    if is_pointless(delivery, generation):
        return await settle(claim, Step(due=None, to=DeliveryStatus.SUPERSEDED), clients)
    if not await is_in_turn(delivery, generation, clients):
        return await settle(claim, Step(due=Due(Lane.DELIVERIES, TURN_INTERVAL)), clients)
    attempted = await _attempt(delivery, generation, clients, at=claim.taken_at)
    step = decide_delivery(
        attempted,
        schedule=clients.settings.delivery_schedule,
        draw=clients.draw(),
    )
    if attempted.went_to not in {None, delivery.endpoint}:
        step = replace(step, set={"endpoint": attempted.went_to})
    return await settle(claim, step, clients)


def is_pointless(delivery: Delivery, generation: Generation) -> bool:
    """Whether a later event already says more, or an operator took back the end that it tells."""
    if delivery.is_intermediate:
        return generation.delivery_ids[-1:] != (delivery.id,)
    return len(generation.timeline) > delivery.sequence


async def is_in_turn(delivery: Delivery, generation: Generation, clients: Clients) -> bool:
    """Whether no earlier event of the generation is on its way right now.

    Such a one was taken before this one was owed, and must not arrive after it. Whoever takes
    an earlier one from now on finds it pointless.
    """
    ids = generation.delivery_ids
    earlier = ids[: ids.index(delivery.id)] if delivery.id in ids else ()
    if not earlier:
        return True
    found = await clients.store.find_deliveries(replace(generation, delivery_ids=earlier))
    return not any(one.is_taken and not one.is_finished for one in found)


def decide_delivery(attempted: Attempted, *, schedule: Sequence[timedelta], draw: float) -> Step:
    """What an attempt's outcome means for the delivery."""
    status_code = attempted.attempt.status_code
    if status_code is not None and 200 <= status_code < 300:
        return Step(due=None, to=DeliveryStatus.DELIVERED, attempt=attempted.attempt)
    # 410: the endpoint wants no more (Standard Webhooks).
    decision = decide_next_attempt(
        attempts=attempted.attempt.number,
        schedule=() if status_code == 410 else schedule,
        retry_after=attempted.retry_after,
        draw=draw,
    )
    if isinstance(decision, AttemptAgain):
        return Step(due=Due(Lane.DELIVERIES, decision.delay), attempt=attempted.attempt)
    return Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=attempted.attempt)


async def _attempt(
    delivery: Delivery, generation: Generation, clients: Clients, *, at: datetime
) -> Attempted:
    origin = await clients.origins.find(delivery.origin)
    endpoint = endpoint_now(delivery, origin)
    if endpoint is None:
        number = len(delivery.attempts) + 1
        return Attempted(Attempt(number=number, at=at, duration_ms=0, error=NO_DEFAULT))
    delivery = replace(delivery, endpoint=endpoint)
    callback = compose(delivery, generation, origin, at=at, keys=clients.signing_keys)
    began = time.monotonic()
    answer, error = await _send(endpoint, callback.body, callback.headers, clients)
    attempt = Attempt(
        number=len(delivery.attempts) + 1,
        at=at,
        duration_ms=round((time.monotonic() - began) * 1000),
        status_code=answer.status_code if answer else None,
        error=error,
    )
    log.info("delivery.attempted", number=attempt.number, status_code=attempt.status_code)
    return Attempted(attempt, retry_after(answer) if answer else None, went_to=endpoint)


async def _send(
    endpoint: str, body: bytes, headers: dict[str, str], clients: Clients
) -> tuple[Answer | None, str | None]:
    try:
        return await clients.calls.make(clients.sender.send(endpoint, body, headers)), None
    except (AddressNotAllowed, EndpointUnavailable) as exc:
        return None, exc.message
