"""Accepting a generation, the same on both faces: check what can be checked, then record."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Response

from api_gateway.model_ids import check_model_id
from api_gateway.parts import Parts
from api_gateway.quotas import quota_headers, refusal_headers
from generations import metrics
from generations.accepting import Ask, Counted
from generations.addresses import check_webhook
from generations.catalog import Catalog
from generations.errors import Fault, InvalidInput, Refusal
from generations.lifecycle import Status
from generations.logs import logger
from generations.model import Generation, InputSchema, NewGeneration
from generations.trace import ids_of
from generations.traces import OFF, Span
from generations.traces import span as span_of

log = logger(__name__)


async def accept(
    new: NewGeneration,
    parts: Parts,
    *,
    idempotency_key: str | None = None,
    input_at: tuple[str, ...] = ("input",),
    response: Response | None = None,
) -> Generation:
    """The generation, on record and due; where it is refused, nothing is stored.

    With an idempotency key that was used before for the same, the generation of then.

    Args:
        new: what is asked for.
        parts: what the program has.
        idempotency_key: the origin's own name for this request.
        input_at: where in the body the input is, for what is said of its fields.
        response: is told what is left of the origin's limits.

    Raises:
        IdempotencyConflict: the key was used before for something else.
        OverLimit: the origin is at one of its limits.
        InvalidModelId, InvalidInput, InvalidWebhook, AddressNotAllowed: it is refused.
        StoreUnavailable: it may be on record where the answer was lost on the way.
    """
    with _span("generation.accept", new) as span:
        ask = Ask(_within(span, new), idempotency_key)
        generation, quotas = await _accept(ask, parts, input_at)
        span.note(generation_id=generation.id, model_id=generation.model_id)
    if response is not None:
        response.headers.update(quota_headers(quotas))
    return generation


async def _accept(ask: Ask, parts: Parts, input_at: tuple[str, ...]) -> Counted:
    try:
        ask = replace(ask, new=checked(ask.new, parts, input_at=input_at))
    except Refusal:
        replay = await _find_replay(ask, parts)
        if replay is None:
            raise
        return replay, ()
    generation, quotas = await parts.store.accept_counted(
        ask.new, idempotency_key=ask.idempotency_key
    )
    _log(ask.new, generation)
    return generation, quotas


def _span(name: str, new: NewGeneration) -> Span:
    # Nothing that its caller chose before it is found to be sound.
    return span_of(name, new.trace, "server", origin=new.origin)


def _within(span: Span, new: NewGeneration) -> NewGeneration:
    return new if span is OFF else replace(new, trace=span.handed_on(new.trace))


async def accept_all(
    asks: Sequence[Ask], parts: Parts, *, response: Response
) -> list[Generation | Refusal]:
    """As :func:`accept`, of many in one round trip: for each what it returns, or raises."""
    fit: list[Ask] = []
    unfit: list[tuple[Ask, Refusal]] = []
    for ask in asks:
        try:
            with _span("generation.accept", ask.new) as span:
                new = _within(span, checked(ask.new, parts))
                span.note(generation_id=new.id, model_id=new.model_id)
            fit.append(replace(ask, new=new))
        except Refusal as refusal:
            unfit.append((ask, refusal))
    replays = await asyncio.gather(*(_find_replay(ask, parts) for ask, _ in unfit))
    settled: dict[str, Generation | Refusal] = {
        ask.new.id: replay or refusal for (ask, refusal), replay in zip(unfit, replays, strict=True)
    }
    for ask, one in zip(fit, await parts.store.accept_all(fit), strict=True):
        if isinstance(one, Refusal):
            settled[ask.new.id] = one
            # The last one's word on what is left is the newest.
            response.headers.update(refusal_headers(one))
        else:
            settled[ask.new.id], quotas = one
            response.headers.update(quota_headers(quotas))
            _log(ask.new, one[0])
    return [settled[ask.new.id] for ask in asks]


async def _find_replay(ask: Ask, parts: Parts) -> Generation | None:
    """What was accepted before for the same, although it would be refused by now.

    Between a request and its repetition the catalog may have come to know the model, or the
    operator may have closed an address. What is being made, and paid, is not denied for that.
    """
    before = await parts.store.find_replay(ask)
    if before is not None:
        _log(ask.new, before)
    return before


def _log(new: NewGeneration, generation: Generation) -> None:
    is_new = generation.id == new.id
    metrics.ACCEPTS.labels("accepted" if is_new else "replayed").inc()
    if is_new:
        known = new.model_id if new.schema is InputSchema.KNOWN else metrics.OTHER_MODEL
        metrics.MOVES.labels(Status.QUEUED, known).inc()
    log.info(
        "generation.accepted" if is_new else "generation.replayed",
        generation_id=generation.id,
        origin=generation.origin,
        model_id=generation.model_id,
        **ids_of(generation.trace),
    )


def checked(
    new: NewGeneration, parts: Parts, *, input_at: tuple[str, ...] = ("input",)
) -> NewGeneration:
    """What may be put on record as far as the request itself tells; raises the Refusal."""
    check_model_id(new.model_id)
    if new.webhook is not None:
        check_webhook(new.webhook, parts.settings.allowed)
    schema = check_input(new, parts.catalog.current, input_at=input_at)
    return replace(new, schema=schema)


def check_input(
    new: NewGeneration, catalog: Catalog, *, input_at: tuple[str, ...] = ("input",)
) -> InputSchema:
    """Accept an input as far as its model's schema tells; the word is whether there is one.

    Raises:
        InvalidInput: the schema is against it, in these places.
    """
    model = catalog.find(new.model_id)
    if model is None or not model.is_known:
        return InputSchema.UNKNOWN
    found = model.faults(new.input)
    if found:
        raise InvalidInput(
            _summary(found),
            faults=[Fault((*input_at, *fault.path), fault.message) for fault in found],
        )
    return InputSchema.KNOWN


def _summary(faults: Sequence[Fault]) -> str:
    """One sentence for clients that show no more than that, as RunComfy's do."""
    first = faults[0]
    more = f" And {len(faults) - 1} more; see errors." if faults[1:] else ""
    where = ".".join(str(part) for part in first.path) or "the input"
    return f"The input is not as the model's schema has it: {where}: {first.message}{more}"
