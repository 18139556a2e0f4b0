"""The native routes: generations with everything that is on record about them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api_gateway.acceptance import accept
from api_gateway.asking import new_generation, read_as
from api_gateway.auth import Caller
from api_gateway.bodies import read_object
from api_gateway.cancelling import cancel_once
from api_gateway.direct import DirectRoute
from api_gateway.filtering import ListQuery
from api_gateway.following import wait_for_end, wait_until
from api_gateway.metadata import QueryMetadata, metadata_query
from api_gateway.openapi import refusals, schema_of, takes
from api_gateway.parts import Wired, own_url, parts_of
from api_gateway.reading import Named, bodies_of, body_of, body_of_accepted
from api_gateway.schemas import CancelBody, CreateGeneration, GenerationBody, GenerationList
from api_gateway.submitting import IdempotencyKey, tell_replay
from api_gateway.tracing import trace_of, traced
from api_gateway.waiting import Prefer, Wait, grant
from generations.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    GenerationNotFound,
    HttpsRequired,
    IdempotencyConflict,
    InvalidBody,
    InvalidCursor,
    InvalidInput,
    InvalidModelId,
    InvalidWebhook,
    OverLimit,
)

router = APIRouter(prefix="/v1/generations", tags=["generations"])
#: Its one route apart, because of its class.
submitting = APIRouter(prefix="/v1/generations", tags=["generations"], route_class=DirectRoute)


@submitting.post(
    "",
    operation_id="create_generation",
    summary="Create a generation",
    status_code=201,
    openapi_extra=traced(takes(schema_of(CreateGeneration))),
    responses=refusals(
        InvalidBody,
        BodyTooLarge,
        InvalidModelId,
        InvalidInput,
        InvalidWebhook,
        AddressNotAllowed,
        HttpsRequired,
        IdempotencyConflict,
        OverLimit,
    ),
)
async def create_generation(
    origin: Caller,
    request: Request,
    response: Response,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> GenerationBody:
    """Put a generation on record; it is submitted to RunComfy at once, and survives restarts.

    With `Prefer: wait=n`, the answer is the generation as it ended, if it ends in time.
    """
    asked = read_as(CreateGeneration, await read_object(request))
    new = new_generation(origin, asked, trace_of(request))
    parts, seconds = parts_of(request), grant(prefer, response)
    accepted = await accept(new, parts, idempotency_key=idempotency_key, response=response)
    tell_replay(response, new, accepted)
    response.headers["Location"] = f"{own_url(request)}/v1/generations/{accepted.id}"
    generation = await wait_for_end(accepted, parts, request.receive, seconds=seconds)
    return await body_of_accepted(generation, parts)


@router.get(
    "",
    operation_id="list_generations",
    summary="List generations",
    openapi_extra=metadata_query("Only what has these notes, whatever else it has."),
    responses=refusals(InvalidCursor),
)
async def list_generations(
    origin: Caller, parts: Wired, asked: Annotated[ListQuery, Query()], metadata: QueryMetadata
) -> GenerationList:
    """Generations of the origin that asks, the newest first, in pages.

    A page may be short, even empty, where few of many fit; ``next_cursor`` is null at the end.
    What comes to be while one reads on is newer, so it never repeats or hides a row.
    """
    page = await parts.listing.page(
        asked.as_filter(metadata), origin=origin, limit=asked.limit, after=asked.after
    )
    return GenerationList(
        generations=await bodies_of(page.rows, parts),
        next_cursor=page.next.as_cursor() if page.next else None,
    )


@router.get(
    "/{generation_id}",
    operation_id="get_generation",
    summary="Get a generation",
    responses=refusals(GenerationNotFound),
)
async def get_generation(
    generation: Named, parts: Wired, request: Request, wait: Wait = 0
) -> GenerationBody:
    """Everything that is on record about a generation; with `wait`, once it moved."""
    seen = len(generation.timeline)
    moved = await wait_until(
        lambda found: found.is_finished or len(found.timeline) > seen,
        generation,
        parts,
        request.receive,
        seconds=wait,
    )
    return await body_of(moved, parts)


@router.post(
    "/{generation_id}/cancel",
    operation_id="cancel_generation",
    summary="Cancel a generation",
    responses=refusals(GenerationNotFound)
    | {202: {"model": GenerationBody, "description": "RunComfy has not answered yet."}},
)
async def cancel_generation(generation: Named, parts: Wired, response: Response) -> GenerationBody:
    """Cancel what has not begun; ``cancel.outcome`` says whether it took effect."""
    cancelled = await cancel_once(generation, parts)
    if cancelled.is_open:
        response.status_code = 202
    body = await body_of(cancelled.generation, parts)
    asked_at = cancelled.generation.cancel_requested_at
    answer = CancelBody(requested_at=asked_at, outcome=cancelled.outcome)
    return body.model_copy(update={"cancel": answer})
