"""The native routes of deliveries: the attempt log, and telling an event again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api_gateway.asking import read_as
from api_gateway.auth import Caller
from api_gateway.bodies import JsonObject
from api_gateway.delivery_schemas import (
    DeliveriesOfGeneration,
    DeliveryPage,
    DeliveryQuery,
    RedeliverMany,
    RedeliverManyAnswer,
)
from api_gateway.metadata import QueryMetadata, metadata_query
from api_gateway.openapi import refusals, takes
from api_gateway.parts import Wired
from api_gateway.reading import Named
from api_gateway.redelivering import redeliver_many, redeliver_once
from api_gateway.schemas import DeliveryBody
from generations.errors import (
    BodyTooLarge,
    DeliveryNotFound,
    DeliverySuperseded,
    GenerationNotFound,
    InvalidBody,
    InvalidCursor,
)
from generations.model import Delivery

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
of_generation = APIRouter(prefix="/v1/generations/{generation_id}/deliveries", tags=["deliveries"])


async def _of_caller(delivery_id: str, origin: Caller, parts: Wired) -> Delivery:
    return await parts.deliveries.find(delivery_id, origin=origin)


async def _of_generation(delivery_id: str, generation: Named, parts: Wired) -> Delivery:
    if delivery_id not in generation.delivery_ids:
        raise DeliveryNotFound
    return await parts.deliveries.find(delivery_id)


_Of = Annotated[Delivery, Depends(_of_generation)]


@of_generation.get(
    "",
    operation_id="list_deliveries_of_generation",
    summary="List a generation's deliveries",
    responses=refusals(GenerationNotFound),
)
async def list_of_generation(generation: Named, parts: Wired) -> DeliveriesOfGeneration:
    """What its webhook was told, is being told or was given up on, attempt by attempt."""
    found = await parts.store.find_deliveries(generation)
    return DeliveriesOfGeneration(deliveries=[DeliveryBody.model_validate(one) for one in found])


@of_generation.get(
    "/{delivery_id}",
    operation_id="get_delivery_of_generation",
    summary="Get a generation's delivery",
    responses=refusals(GenerationNotFound, DeliveryNotFound),
)
async def get_of_generation(delivery: _Of) -> DeliveryBody:
    """One delivery with every attempt: when, where to, how long, and what was answered."""
    return DeliveryBody.model_validate(delivery)


@of_generation.post(
    "/{delivery_id}/redeliver",
    operation_id="redeliver_delivery",
    summary="Tell an event again",
    status_code=202,
    responses=refusals(GenerationNotFound, DeliveryNotFound, DeliverySuperseded),
)
async def redeliver(delivery: _Of, parts: Wired) -> DeliveryBody:
    """Attempt a delivery now, whether it was delivered, is exhausted or waits for its next attempt.

    The receiver sees the same ``webhook-id``, so it can tell that it knows the event. What had
    ended is pending again with its whole schedule before it; the numbers of its attempts go on.
    """
    return DeliveryBody.model_validate(await redeliver_once(delivery, parts))


@router.get(
    "",
    operation_id="list_deliveries",
    summary="List deliveries",
    openapi_extra=metadata_query("Only of generations with these notes, whatever else they have."),
    responses=refusals(InvalidCursor),
)
async def list_deliveries(
    origin: Caller, parts: Wired, asked: Annotated[DeliveryQuery, Query()], metadata: QueryMetadata
) -> DeliveryPage:
    """Deliveries of the origin that asks, in pages: with `status=exhausted`, what nobody took.

    A page may be short, even empty, where few of many fit; ``next_cursor`` is null at the end.
    """
    page = await parts.deliveries.page(
        asked.as_filter(asked.status, metadata), origin=origin, limit=asked.limit, after=asked.after
    )
    return DeliveryPage(
        deliveries=[DeliveryBody.model_validate(one) for one in page.rows],
        next_cursor=page.next.as_cursor() if page.next else None,
    )


@router.post(
    "/redeliver",
    operation_id="redeliver_deliveries",
    summary="Tell all that match again",
    status_code=202,
    openapi_extra=takes(RedeliverMany.described()),
    responses=refusals(InvalidBody, BodyTooLarge, InvalidCursor),
)
async def redeliver_deliveries(
    origin: Caller, body: JsonObject, parts: Wired
) -> RedeliverManyAnswer:
    """Tell all that match again, at most 500 a call: what is exhausted, unless a status says else.

    After an outage of a receiver: `{"created_after": "…", "endpoint": "https://…"}`. Go on
    with ``next_cursor`` until it is null.
    """
    asked = read_as(RedeliverMany, body)
    found = await redeliver_many(asked.filter, parts, origin=origin, after=asked.after)
    return RedeliverManyAnswer(
        count=len(found.ids),
        ids=found.ids,
        next_cursor=found.next.as_cursor() if found.next else None,
    )


@router.get(
    "/{delivery_id}",
    operation_id="get_delivery",
    summary="Get a delivery",
    responses=refusals(DeliveryNotFound),
)
async def get_delivery(delivery: Annotated[Delivery, Depends(_of_caller)]) -> DeliveryBody:
    """One delivery of the origin that asks, whatever it tells; a test's too."""
    return DeliveryBody.model_validate(delivery)
