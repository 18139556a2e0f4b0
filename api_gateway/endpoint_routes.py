"""The native route that tries an endpoint."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api_gateway.asking import read_as
from api_gateway.auth import Caller
from api_gateway.bodies import JsonObject
from api_gateway.openapi import refusals, schema_of, takes
from api_gateway.parts import Wired
from api_gateway.schemas import DeliveryBody
from api_gateway.submitting import WEBHOOK
from api_gateway.trying import try_endpoint
from generations.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    HttpsRequired,
    InvalidBody,
    InvalidWebhook,
)

router = APIRouter(prefix="/v1/endpoints", tags=["deliveries"])


class EndpointTest(BaseModel):
    """The endpoint to try."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"webhook": WEBHOOK}]}
    )

    webhook: str = Field(
        description="As a generation's: it is told an event of the type endpoint.test.",
        json_schema_extra={"format": "uri"},
    )


@router.post(
    "/test",
    operation_id="test_endpoint",
    summary="Try an endpoint",
    openapi_extra=takes(schema_of(EndpointTest)),
    responses=refusals(InvalidBody, BodyTooLarge, InvalidWebhook, AddressNotAllowed, HttpsRequired)
    | {202: {"model": DeliveryBody, "description": "It is not attempted yet; look again."}},
)
async def tell_test_event(
    origin: Caller, body: JsonObject, parts: Wired, response: Response
) -> DeliveryBody:
    """Tell an endpoint a test event, signed like any other, and show what came of it.

    It is attempted once, by a worker. The answer waits some seconds for that; after a 202,
    `GET /v1/deliveries/{id}` tells it.
    """
    asked = read_as(EndpointTest, body)
    delivery = await try_endpoint(asked.webhook, parts, origin=origin)
    if not delivery.is_finished:
        response.status_code = 202
    return DeliveryBody.model_validate(delivery)
