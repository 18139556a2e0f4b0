"""The JSON view of what arrived, the switch, and the live feed."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from ops.inspector.answers import Answer
from ops.inspector.callbacks import Callback, Counts
from ops.inspector.inspection import Inspection, Shared

router = APIRouter(prefix="/api")


class CallbackList(BaseModel):
    """Newest first; ``counts`` are of everything, not of the list."""

    callbacks: list[Callback]
    counts: Counts


@router.get("/callbacks")
async def list_callbacks(
    inspection: Shared,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    webhook_id: str | None = None,
    path: str | None = None,
) -> CallbackList:
    found = inspection.log.newest(limit, webhook_id=webhook_id, path=path)
    return CallbackList(callbacks=found, counts=inspection.log.counts)


@router.get("/callbacks/{n}")
async def show_callback(inspection: Shared, n: int) -> Callback:
    return _numbered(inspection, n)


@router.get("/callbacks/{n}/body")
async def show_body(inspection: Shared, n: int) -> Response:
    """The bytes as they came; a download, so that no browser runs what a sender wrote."""
    return Response(
        _numbered(inspection, n).body_bytes,
        media_type="application/octet-stream",
        headers={"x-content-type-options": "nosniff"},
    )


@router.delete("/callbacks", status_code=204)
async def clear_callbacks(inspection: Shared) -> None:
    inspection.clear()


@router.get("/answer")
async def show_answer(inspection: Shared) -> Answer:
    """The answer that is set now; ``times`` is how many are left."""
    return inspection.switch.current


@router.put("/answer")
async def set_answer(inspection: Shared, answer: Answer) -> Answer:
    inspection.turn_to(answer)
    return answer


@router.get("/events", response_class=EventSourceResponse)
async def stream_events(inspection: Shared) -> AsyncIterator[ServerSentEvent]:
    """``callback``, ``answer`` and ``cleared`` events; FastAPI adds a comment every 15 s."""
    async for event in inspection.feed.listen():
        yield event


def _numbered(inspection: Inspection, n: int) -> Callback:
    callback = inspection.log.numbered(n)
    if callback is None:
        raise HTTPException(404, f"No callback {n} is kept.")
    return callback
