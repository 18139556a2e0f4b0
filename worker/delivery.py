"""Telling an endpoint one event: one signed POST per attempt, again by schedule."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from structlog.contextvars import bind_contextvars

from generations.due import Claim
from generations.endpoint_health import Verdict
from generations.errors import (
    AddressNotAllowed,
    EgressProxyUnavailable,
    EndpointUnavailable,
    GenerationNotFound,
    StoreUnavailable,
)
from generations.lifecycle import DeliveryStatus
from generations.logs import logger
from generations.metrics import ATTEMPT_SECONDS, ATTEMPTS, result_of
from generations.model import Attempt, Delivery, Generation
from generations.pacing import AttemptAgain, decide_next_attempt
from generations.steps import Due, Lane, Step, is_pointless
from generations.trace import Trace, ids_of
from generations.traces import span
from worker.answers import Answer, noted_body, noted_headers, retry_after
from worker.callbacks import Callback, compose
from worker.claims import settle
from worker.clients import Clients
from worker.turns import TURN_INTERVAL, is_in_turn

log = logger(__name__)


#: What is on record of an attempt that had nowhere to go.
NO_DEFAULT: Final = "The origin has no default endpoint any more."
#: What is on record of answers that need a word.
GONE: Final = "The endpoint is gone (410): it is told nothing more of this."
REDIRECTED: Final = "The endpoint redirects, which is not followed."

Sent = Answer | AddressNotAllowed | EndpointUnavailable


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of one attempt."""

    attempt: Attempt
    #: What the endpoint asked for.
    retry_after: timedelta | None = None
    #: How long ago its schedule began, and how many attempts were made before that.
    age: timedelta = timedelta()
    attempts_before: int = 0
    verdict: Verdict = Verdict.NONE


async def attempt_once(claim: Claim, delivery: Delivery, clients: Clients) -> str:
    """Attempt one delivery that was claimed; the word for what came of it.

    It has entered its endpoint's server, and leaves it in any case.
    """
    verdict = Verdict.NONE
    try:
        step, verdict = await _look_and_decide(claim, delivery, clients)
        return await settle(claim, step, clients)
    finally:
        await _leave(delivery, verdict, clients)


async def _look_and_decide(
    claim: Claim, delivery: Delivery, clients: Clients
) -> tuple[Step, Verdict]:
    if delivery.is_test:
        attempted = await _attempt(delivery, None, clients, at=claim.taken_at, trace=None)
        return decide_delivery(attempted, schedule=(), draw=0), attempted.verdict
    try:
        generation = await clients.store.find(delivery.generation_id)
    except GenerationNotFound:
        # It is kept until its end was told; somebody deleted it, and nothing is left to tell.
        return Step(due=None, to=DeliveryStatus.EXHAUSTED), Verdict.NONE
    if is_pointless(delivery, generation):
        return Step(due=None, to=DeliveryStatus.SUPERSEDED), Verdict.NONE
    if not await is_in_turn(delivery, generation, clients):
        return Step(due=Due(Lane.DELIVERIES, TURN_INTERVAL)), Verdict.NONE
    attempted = await _traced_attempt(delivery, generation, clients, at=claim.taken_at)
    step = decide_delivery(
        attempted,
        schedule=clients.settings.delivery_schedule,
        draw=clients.draw(),
    )
    if delivery.to_default:
        step = replace(step, set={"endpoint": delivery.endpoint})
    return step, attempted.verdict


async def _leave(delivery: Delivery, verdict: Verdict, clients: Clients) -> None:
    # Where that cannot be noted, the place is free again after a while.
    with suppress(StoreUnavailable):
        if news := await clients.health.leave(delivery, verdict):
            log.warning("endpoint.breaker", became=news, server=clients.health.server(delivery))


def decide_delivery(attempted: Attempted, *, schedule: Sequence[timedelta], draw: float) -> Step:
    """What an attempt's outcome means for the delivery."""
    status_code = attempted.attempt.status_code
    if status_code is not None and 200 <= status_code < 300:
        return Step(due=None, to=DeliveryStatus.DELIVERED, attempt=attempted.attempt)
    # 410: the endpoint wants no more (Standard Webhooks).
    decision = decide_next_attempt(
        attempts=attempted.attempt.number - attempted.attempts_before,
        age=attempted.age,
        schedule=() if status_code == 410 else schedule,
        retry_after=attempted.retry_after,
        draw=draw,
    )
    if isinstance(decision, AttemptAgain):
        return Step(due=Due(Lane.DELIVERIES, decision.delay), attempt=attempted.attempt)
    return Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=attempted.attempt)


async def _traced_attempt(
    delivery: Delivery, generation: Generation, clients: Clients, *, at: datetime
) -> Attempted:
    bind_contextvars(**ids_of(generation.trace))
    number, ids = delivery.attempts_made + 1, {"delivery_id": delivery.id}
    with span("delivery.attempt", generation.trace, "client", attempt=number, **ids) as one:
        trace = one.handed_on(generation.trace)
        attempted = await _attempt(delivery, generation, clients, at=at, trace=trace)
        one.note(result=result_of(attempted.attempt.status_code))
    return attempted


async def _attempt(
    delivery: Delivery,
    generation: Generation | None,
    clients: Clients,
    *,
    at: datetime,
    trace: Trace | None,
) -> Attempted:
    origin = await clients.origins.find(delivery.origin)
    began = time.monotonic()
    if delivery.to_default and not (origin and origin.default_endpoint):
        sent: Sent = AddressNotAllowed(NO_DEFAULT)
    else:
        keys = clients.signing_keys
        callback = compose(delivery, generation, origin, at=at, keys=keys, trace=trace)
        sent = await _send(delivery.endpoint, callback, clients)
    attempt = Attempt(
        number=delivery.attempts_made + 1,
        at=at,
        duration_ms=round((time.monotonic() - began) * 1000),
        **_noted(sent),
    )
    ATTEMPTS.labels(result_of(attempt.status_code)).inc()
    ATTEMPT_SECONDS.observe(attempt.duration_ms / 1000)
    log.info(
        "delivery.attempted",
        number=attempt.number,
        status_code=attempt.status_code,
        error=attempt.error,
    )
    return Attempted(
        attempt,
        asked_for(sent, now=at),
        age=at - delivery.begun_at,
        attempts_before=delivery.attempts_before,
        verdict=judge(sent),
    )


async def _send(endpoint: str, callback: Callback, clients: Clients) -> Sent:
    sending = clients.sender.send(endpoint, callback.body, callback.headers)
    try:
        return await clients.calls.make(sending)
    except (AddressNotAllowed, EndpointUnavailable) as exc:
        return exc


def judge(sent: Sent) -> Verdict:
    """What an attempt says about the server behind its endpoint."""
    match sent:
        case Answer():
            is_unwell = sent.status_code >= 500 or sent.status_code == 429
            return Verdict.FAILED if is_unwell else Verdict.ANSWERED
        case AddressNotAllowed() | EgressProxyUnavailable():
            return Verdict.NONE
    return Verdict.FAILED


def asked_for(sent: Sent, *, now: datetime) -> timedelta | None:
    """How long an endpoint asked to be left alone, by the two answers that may say so."""
    if isinstance(sent, Answer) and sent.status_code in {429, 503}:
        return retry_after(sent, now=now)
    return None


def _noted(sent: Sent) -> dict[str, Any]:
    """What the record of an attempt tells of its outcome."""
    if isinstance(sent, Answer):
        return {
            "status_code": sent.status_code,
            "error": _word_on(sent.status_code),
            "address": sent.address,
            "dials": sent.dials,
            "response_headers": noted_headers(sent),
            "response_body": noted_body(sent),
        }
    if isinstance(sent, AddressNotAllowed):
        return {"error": sent.message, "dials": 0}
    return {"error": sent.message, "address": sent.address, "dials": sent.dials}


def _word_on(status_code: int) -> str | None:
    if status_code == 410:
        return GONE
    return REDIRECTED if 300 <= status_code < 400 else None
