"""The routes that speak RunComfy: its paths, bodies and words, over our records.

https://docs.runcomfy.com/model-apis/async-queue-endpoints
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api_gateway.acceptance import accept
from api_gateway.auth import Caller
from api_gateway.bodies import read_object
from api_gateway.cancelling import cancel_once
from api_gateway.direct import DirectRoute
from api_gateway.following import wait_for_end, wait_until
from api_gateway.metadata import NOTED, metadata_query, read_metadata
from api_gateway.model_routes import ModelId, whole_model_id
from api_gateway.openapi import INPUT_BODY, refusals
from api_gateway.parts import Wired, own_url, parts_of
from api_gateway.reading import Requested, queue_position_of
from api_gateway.runcomfy_schemas import (
    RequestAccepted,
    RequestCancel,
    RequestResult,
    RequestStatus,
    RequestWaited,
)
from api_gateway.submitting import Asked, IdempotencyKey, tell_replay
from api_gateway.tracing import trace_of, traced
from api_gateway.waiting import Prefer, Wait, grant
from generations.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    GenerationNotFound,
    HttpsRequired,
    IdempotencyConflict,
    InvalidBody,
    InvalidInput,
    InvalidModelId,
    InvalidWebhook,
    OverLimit,
)
from generations.ids import GENERATION, new_id
from generations.model import NewGeneration
from generations.presentation import result_body, shown_status

router = APIRouter(prefix="/v1", tags=["RunComfy"])
#: Its one route apart, because of its class.
submitting = APIRouter(prefix="/v1", tags=["RunComfy"], route_class=DirectRoute)

#: The routes of a request that the answer to its submission leads to.
LEADS_TO: Final = ("status", "result", "cancel")


async def _new_generation(
    request: Request, origin: str, model_id: str, asked: Asked
) -> NewGeneration:
    return NewGeneration(
        id=new_id(GENERATION),
        origin=origin,
        model_id=whole_model_id(request, model_id),
        input=await read_object(request),
        webhook=asked.webhook,
        webhook_intermediate_status=asked.webhook_intermediate_status,
        on_uncertain=asked.on_uncertain,
        preflight=asked.preflight,
        deadline=asked.deadline,
        priority=asked.priority,
        metadata=read_metadata(request.query_params.multi_items()),
        trace=trace_of(request),
    )


@submitting.post(
    "/models/{model_id:path}",
    operation_id="submit_request",
    summary="Submit a request",
    response_model_exclude_unset=True,
    openapi_extra=traced(INPUT_BODY | metadata_query(NOTED)),
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
async def submit_request(
    origin: Caller,
    model_id: ModelId,
    asked: Annotated[Asked, Query()],
    request: Request,
    response: Response,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> RequestAccepted | RequestWaited:
    """Put a request on record; it is submitted to RunComfy at once, and survives any restart.

    With `Prefer: wait=n`, which RunComfy does not have, the answer comes when the request has
    ended or the seconds are over, and holds the result as it is then.
    """
    new, parts = await _new_generation(request, origin, model_id, asked), parts_of(request)
    seconds = grant(prefer, response)
    accepted = await accept(
        new, parts, idempotency_key=idempotency_key, input_at=(), response=response
    )
    tell_replay(response, new, accepted)
    base = own_url(request)
    urls = {f"{what}_url": _url(base, accepted.id, what) for what in LEADS_TO}
    if seconds is None:
        return RequestAccepted.model_validate({"request_id": accepted.id, **urls})
    waited = await wait_for_end(accepted, parts, request.receive, seconds=seconds)
    return RequestWaited.model_validate({**result_body(waited), **urls})


@router.get(
    "/requests/{request_id}/status",
    operation_id="get_request_status",
    summary="Where a request is now",
    response_model_exclude_none=True,
    responses=refusals(GenerationNotFound),
)
async def get_request_status(
    generation: Requested, parts: Wired, request: Request, wait: Wait = 0
) -> RequestStatus:
    """The status in RunComfy's words; ``completed`` says that it stopped, not how."""
    seen = shown_status(generation.status)
    moved = await wait_until(
        lambda found: found.is_finished or shown_status(found.status) != seen,
        generation,
        parts,
        request.receive,
        seconds=wait,
    )
    base = own_url(request)
    return RequestStatus.model_validate(
        {
            "request_id": moved.id,
            "status": shown_status(moved.status),
            "status_url": _url(base, moved.id, "status"),
            "result_url": _url(base, moved.id, "result"),
            "queue_position": await queue_position_of(moved, parts.store),
        }
    )


@router.get(
    "/requests/{request_id}/result",
    operation_id="get_request_result",
    summary="How a request ended",
    response_model=RequestResult,
    response_model_exclude_unset=True,
    responses=refusals(GenerationNotFound),
)
async def get_request_result(
    generation: Requested,
    parts: Wired,
    include_cost: Annotated[
        bool, Query(description="Whether to name the cost, where RunComfy gave it.")
    ] = False,
) -> dict[str, Any]:
    """The result; before the end, where the request is, so that it may be asked for at any time."""
    position = await queue_position_of(generation, parts.store)
    body = result_body(generation, queue_position=position)
    if include_cost and generation.cost is not None:
        body["cost"] = generation.cost
    return body


@router.post(
    "/requests/{request_id}/cancel",
    operation_id="cancel_request",
    summary="Cancel a request",
    responses=refusals(GenerationNotFound)
    | {202: {"model": RequestCancel, "description": "RunComfy has not answered yet."}},
)
async def cancel_request(generation: Requested, parts: Wired, response: Response) -> RequestCancel:
    """Cancel what has not begun; the answer says whether it took effect."""
    cancelled = await cancel_once(generation, parts)
    if cancelled.is_open:
        response.status_code = 202
    return RequestCancel.model_validate(
        {
            "request_id": generation.id,
            "status": shown_status(cancelled.generation.status),
            "outcome": cancelled.outcome,
        }
    )


def _url(own_url: str, request_id: str, what: str) -> str:
    return f"{own_url}/v1/requests/{request_id}/{what}"
