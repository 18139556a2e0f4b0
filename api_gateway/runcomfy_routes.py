"""The routes that speak RunComfy: its paths, bodies and words, over our records.

https://docs.runcomfy.com/model-apis/async-queue-endpoints
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from api_gateway.acceptance import accept
from api_gateway.auth import Caller
from api_gateway.bodies import JsonObject
from api_gateway.cancelling import cancel_once
from api_gateway.metadata import NOTED, QueryMetadata, metadata_query
from api_gateway.model_routes import ModelId
from api_gateway.openapi import INPUT_BODY, refusals
from api_gateway.parts import OwnUrl, Wired
from api_gateway.reading import Requested, queue_position_of
from api_gateway.runcomfy_schemas import (
    RequestAccepted,
    RequestCancel,
    RequestResult,
    RequestStatus,
)
from api_gateway.submitting import Asked, IdempotencyKey, tell_replay
from generations.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    GenerationNotFound,
    IdempotencyConflict,
    InvalidBody,
    InvalidInput,
    InvalidModelId,
    InvalidWebhook,
)
from generations.ids import GENERATION, new_id
from generations.model import NewGeneration
from generations.presentation import result_body, shown_status

router = APIRouter(prefix="/v1", tags=["RunComfy"])


async def _asked_for(
    origin: Caller,
    model_id: ModelId,
    input_: JsonObject,
    asked: Annotated[Asked, Query()],
    metadata: QueryMetadata,
) -> NewGeneration:
    return NewGeneration(
        id=new_id(GENERATION),
        origin=origin,
        model_id=model_id,
        input=input_,
        webhook=asked.webhook,
        webhook_intermediate_status=asked.webhook_intermediate_status,
        on_uncertain=asked.on_uncertain,
        deadline=asked.deadline,
        metadata=metadata,
    )


@router.post(
    "/models/{model_id:path}",
    operation_id="submit_request",
    summary="Submit a request",
    openapi_extra=INPUT_BODY | metadata_query(NOTED),
    responses=refusals(
        InvalidBody,
        BodyTooLarge,
        InvalidModelId,
        InvalidInput,
        InvalidWebhook,
        AddressNotAllowed,
        IdempotencyConflict,
    ),
)
async def submit_request(
    new: Annotated[NewGeneration, Depends(_asked_for)],
    parts: Wired,
    own_url: OwnUrl,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RequestAccepted:
    """Put a request on record; it is submitted to RunComfy at once, and survives any restart."""
    accepted = await accept(new, parts, idempotency_key=idempotency_key, input_at=())
    tell_replay(response, new, accepted)
    return RequestAccepted(
        request_id=accepted.id,
        status_url=_url(own_url, accepted.id, "status"),
        result_url=_url(own_url, accepted.id, "result"),
        cancel_url=_url(own_url, accepted.id, "cancel"),
    )


@router.get(
    "/requests/{request_id}/status",
    operation_id="get_request_status",
    summary="Where a request is now",
    response_model_exclude_none=True,
    responses=refusals(GenerationNotFound),
)
async def get_request_status(generation: Requested, parts: Wired, own_url: OwnUrl) -> RequestStatus:
    """The status in RunComfy's words; ``completed`` says that it stopped, not how."""
    return RequestStatus.model_validate(
        {
            "request_id": generation.id,
            "status": shown_status(generation.status),
            "status_url": _url(own_url, generation.id, "status"),
            "result_url": _url(own_url, generation.id, "result"),
            "queue_position": await queue_position_of(generation, parts.store),
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
