"""Telling an endpoint one event: one signed POST per attempt, again by schedule."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from generations.due import Claim
from generations.errors import AddressNotAllowed, EndpointUnavailable, GenerationNotFound
from generations.lifecycle import DeliveryStatus
from generations.logs import logger
from generations.model import Attempt, Delivery, Generation
from generations.pacing import AttemptAgain, decide_next_attempt
from generations.presentation import event_body
from generations.records import dump_json
from generations.steps import Due, Lane, Step, is_pointless
from worker.answers import Answer, retry_after
from worker.claims import settle
from worker.clients import Clients
from worker.webhooks.signing import sign

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of one attempt, and what the endpoint asked for."""

    attempt: Attempt
    retry_after: timedelta | None = None


async def attempt_once(claim: Claim, delivery: Delivery, clients: Clients) -> str:
    """Attempt one delivery that was claimed; the word for what came of it."""
    try:
        generation = await clients.store.find(delivery.generation_id)
    except GenerationNotFound:
        # It is kept until its end was told; somebody deleted it, and nothing is left to tell.
        return await settle(claim, Step(due=None, to=DeliveryStatus.EXHAUSTED), clients)
    if is_pointless(delivery, generation):
        return await settle(claim, Step(due=None, to=DeliveryStatus.SUPERSEDED), clients)
    attempted = await _attempt(delivery, generation, clients, at=claim.taken_at)
    step = decide_delivery(
        attempted,
        schedule=clients.settings.delivery_schedule,
        draw=clients.draw(),
    )
    return await settle(claim, step, clients)


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
    body = dump_json(event_body(generation, delivery.sequence)).encode()
    began = time.monotonic()
    headers = {
        "content-type": "application/json",
        "user-agent": "darkroom",
        **sign(
            body,
            event_id=delivery.event_id,
            at=at,
            secrets=origin.webhook_secrets if origin else (),
        ),
    }
    answer, error = await _send(delivery.endpoint, body, headers, clients)
    attempt = Attempt(
        number=len(delivery.attempts) + 1,
        at=at,
        duration_ms=round((time.monotonic() - began) * 1000),
        status_code=answer.status_code if answer else None,
        error=error,
    )
    log.info("delivery.attempted", number=attempt.number, status_code=attempt.status_code)
    return Attempted(attempt, retry_after(answer) if answer else None)


async def _send(
    endpoint: str, body: bytes, headers: dict[str, str], clients: Clients
) -> tuple[Answer | None, str | None]:
    try:
        return await clients.calls.make(clients.sender.send(endpoint, body, headers)), None
    except (AddressNotAllowed, EndpointUnavailable) as exc:
        return None, exc.message
