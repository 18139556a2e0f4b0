"""The route of a generation's events."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response

from api_gateway.events import MEDIA_TYPE, EventStream
from api_gateway.openapi import refusals
from api_gateway.parts import Wired
from api_gateway.reading import Named
from generations.errors import GenerationNotFound

router = APIRouter(prefix="/v1/generations", tags=["generations"])

#: More than any generation has moves.
LARGEST_ID: Final = 2**31 - 1
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The events, until the generation has ended.",
        "content": {
            MEDIA_TYPE: {
                # What each of them is: before OpenAPI 3.2 there is no other place to say it.
                "schema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "description": "Its number, from 1."},
                        "event": {"type": "string", "description": "Its type."},
                        "data": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "The very body of the callback for it.",
                        },
                    },
                    "required": ["id", "event", "data"],
                },
                "example": "id: 3\nevent: generation.in_queue\n"
                'data: {"type": "generation.in_queue", …}\n\n',
            }
        },
    },
    204: {
        "description": "It has ended, and its last event was seen: do not connect again.",
    },
}


@router.get(
    "/{generation_id}/events",
    operation_id="follow_generation",
    summary="Follow a generation",
    status_code=200,
    response_class=EventStream,
    responses=STREAM | refusals(GenerationNotFound),
)
async def follow_generation(
    generation: Named,
    parts: Wired,
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0,
            le=LARGEST_ID,
            description="The id of the last event that was seen; an EventSource sends it by "
            "itself. Only what came after it is told.",
        ),
    ] = None,
    resumed_from: Annotated[
        int | None,
        Query(
            alias="last_event_id",
            ge=0,
            le=LARGEST_ID,
            description="The same for clients that cannot set the header, which counts more.",
        ),
    ] = None,
) -> Response:
    """Server-sent events: what happened so far, and then what happens, until the end.

    An event's id is its `sequence`, its name is its `type`, its data the very body of the
    callback for it. A stream that ends before the last event ends because the gateway does:
    connect again with the last id.
    """
    after = next((n for n in (last_event_id, resumed_from) if n is not None), 0)
    if generation.is_finished and after >= len(generation.timeline):
        return Response(status_code=204)
    return EventStream(generation.id, parts, after=after)
