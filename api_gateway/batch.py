"""A batch: many creates in one request, each accepted or refused by itself.

The whole is answered with 200 once each has its own answer, as bulk routes elsewhere do it
(Elasticsearch, SQS, DynamoDB): 207 is WebDAV's, and promises its XML.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response
from fastapi.exceptions import RequestValidationError

from api_gateway.acceptance import accept_all
from api_gateway.asking import new_generation, read_as
from api_gateway.many_schemas import BatchAnswer, BatchItem, BatchResult, CreateBatch
from api_gateway.parts import Parts
from api_gateway.problems import describe, describe_invalid
from api_gateway.reading import bodies_of
from api_gateway.schemas import Problem
from generations.accepting import Ask
from generations.errors import BodyTooLarge, Refusal
from generations.model import Generation
from generations.records import dump_json

#: The route's path.
BATCH: Final = "/v1/generations/batch"


async def accept_batch(
    origin: str,
    body: Mapping[str, Any],
    parts: Parts,
    *,
    idempotency_key: str | None,
    response: Response,
) -> BatchAnswer:
    """Accept each create of a batch that can be accepted.

    With a key, each has one of its own that is derived from it, so that a batch whose answer
    was lost may be sent again as it was.

    Raises:
        RequestValidationError: it is no batch.
        IdempotencyConflict: the key's batch was another one.
        StoreUnavailable: some may be on record; with a key, send it again.
    """
    items = read_as(CreateBatch, body).generations
    if idempotency_key is not None:
        await parts.store.promise_batch(origin, idempotency_key, items)
    asks: dict[int, Ask] = {}
    results: dict[int, BatchResult] = {}
    for place, item in enumerate(items):
        try:
            asks[place] = _read(item, place, origin, parts, batch_key=idempotency_key)
        except RequestValidationError as exc:
            results[place] = _refused(describe_invalid(exc), place)
        except BodyTooLarge as exc:
            results[place] = _refused(describe(exc), place)
    results |= await _accept(asks, parts, response)
    accepted = sum(result.generation is not None for result in results.values())
    return BatchAnswer(
        accepted=accepted,
        refused=len(items) - accepted,
        results=[results[place] for place in range(len(items))],
    )


def _read(item: Any, place: int, origin: str, parts: Parts, *, batch_key: str | None) -> Ask:
    if not isinstance(item, dict):
        wrong = {"loc": ("body",), "msg": "It must be an object", "type": "object"}
        raise RequestValidationError([wrong])
    if len(dump_json(item).encode()) > parts.settings.max_body_bytes:
        raise BodyTooLarge
    asked = read_as(BatchItem, item)
    derived = None if batch_key is None else f"{batch_key}\n{place}"
    return Ask(new_generation(origin, asked), asked.idempotency_key or derived)


async def _accept(
    asks: Mapping[int, Ask], parts: Parts, response: Response
) -> dict[int, BatchResult]:
    found = await accept_all(list(asks.values()), parts, response=response)
    settled = dict(zip(asks, found, strict=True))
    accepted = {place: one for place, one in settled.items() if isinstance(one, Generation)}
    bodies = await bodies_of(list(accepted.values()), parts.store)
    results = {
        place: _refused(describe(one), place)
        for place, one in settled.items()
        if isinstance(one, Refusal)
    }
    for (place, one), body in zip(accepted.items(), bodies, strict=True):
        replayed = one.id != asks[place].new.id
        results[place] = BatchResult(status=201, replayed=replayed, generation=body, problem=None)
    return results


def _refused(problem: Problem, place: int) -> BatchResult:
    """The problem of one create, its pointers from the batch's root."""
    errors = [
        error.model_copy(update={"pointer": f"#/generations/{place}{error.pointer[1:]}"})
        for error in problem.errors or ()
    ]
    placed = problem.model_copy(update={"errors": errors or None})
    return BatchResult(status=problem.status, replayed=False, generation=None, problem=placed)
