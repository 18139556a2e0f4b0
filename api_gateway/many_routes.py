"""The native routes that act on many generations at once."""

from fastapi import APIRouter, Request, Response

from api_gateway.asking import read_as
from api_gateway.auth import Caller
from api_gateway.batch import Batch
from api_gateway.bodies import JsonObject
from api_gateway.cancelling import cancel_many
from api_gateway.many_schemas import (
    BatchAnswer,
    CancelMany,
    CancelManyAnswer,
    CreateBatch,
    Some,
)
from api_gateway.openapi import refusals, takes
from api_gateway.parts import Wired
from api_gateway.submitting import IdempotencyKey
from api_gateway.tracing import trace_of, traced
from generations.errors import BodyTooLarge, IdempotencyConflict, InvalidBody, InvalidCursor

router = APIRouter(prefix="/v1/generations", tags=["generations"])


@router.post(
    "/batch",
    operation_id="create_generations",
    summary="Create up to 500 generations",
    openapi_extra=traced(takes(CreateBatch.described())),
    responses=refusals(InvalidBody, BodyTooLarge, IdempotencyConflict),
)
async def create_generations(
    origin: Caller,
    body: JsonObject,
    parts: Wired,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> BatchAnswer:
    """Put each on record that can be accepted, whatever is wrong with the others.

    The answer is 200 once each has its own; ``refused`` says how many were not accepted. With
    an ``Idempotency-Key`` the whole may be sent again, also after a 503 or where some were over
    a limit (429, with ``Retry-After`` on the whole): what was accepted before is told again.
    """
    return await Batch(origin, parts, idempotency_key, trace_of(request), response).accept(body)


@router.post(
    "/cancel",
    operation_id="cancel_generations",
    summary="Cancel all that match",
    openapi_extra=takes(CancelMany.described()),
    responses=refusals(InvalidBody, BodyTooLarge, InvalidCursor)
    | {202: {"model": CancelManyAnswer, "description": "RunComfy has not answered for some."}},
)
async def cancel_generations(
    origin: Caller, body: JsonObject, parts: Wired, response: Response
) -> CancelManyAnswer:
    """Cancel all that match and have not finished, at most 500 a call.

    It does not wait for RunComfy: what RunComfy has is asked to be cancelled, the answer is
    202 then, and each record says what came of it. Go on with ``next_cursor`` until it is
    null; what is created meanwhile is left alone.
    """
    asked = read_as(CancelMany, body)
    found = await cancel_many(asked.filter, parts, origin=origin, after=asked.after)
    if found.requested:
        response.status_code = 202
    return CancelManyAnswer(
        cancelled=Some.of(found.cancelled),
        cancellation_requested=Some.of(found.requested),
        next_cursor=found.next.as_cursor() if found.next else None,
    )
