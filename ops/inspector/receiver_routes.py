"""Where callbacks arrive."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from ops.inspector.answers import Answer
from ops.inspector.callbacks import Arrival
from ops.inspector.inspection import Inspection, Shared

router = APIRouter()

#: Bodies above this many bytes are refused with 413 and not kept.
MOST_KEPT: Final = 1024 * 1024
#: A body is read up to here before it is refused: a sender cut off while it still
#: writes sees a reset instead of the 413.
MOST_READ: Final = 16 * MOST_KEPT

_STATUSES_WITHOUT_BODY: Final = frozenset({204, 205, 304})


@router.post("/callbacks")
@router.post("/callbacks/{anything:path}")
async def receive(request: Request, inspection: Shared) -> Response:
    """Keep the callback, whatever is in it, and answer as the switch says."""
    answer = inspection.receive(await _arrival(request))
    if answer.hang:
        await _hang(request, inspection)
    return _response(answer)


async def _arrival(request: Request) -> Arrival:
    body = await request.body()
    if len(body) > MOST_KEPT:
        raise HTTPException(413, f"A callback has at most {MOST_KEPT} bytes.")
    return Arrival(
        received_at=datetime.now(UTC),
        method=request.method,
        path=str(request.scope["path"]),
        query=request.scope["query_string"].decode("latin-1"),
        headers=_joined(request),
        body=body,
    )


def _joined(request: Request) -> dict[str, str]:
    """Header lines of one name become one, as RFC 9110 (5.3) allows."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def _hang(request: Request, inspection: Inspection) -> None:
    """Return when the sender leaves, the time is over, or the inspector stops."""
    waits = [
        # The body has been read: the next message is the sender's leaving.
        asyncio.ensure_future(request.receive()),
        asyncio.ensure_future(inspection.feed.closed()),
    ]
    await asyncio.wait(waits, timeout=inspection.hang_seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _response(answer: Answer) -> Response:
    if answer.status in _STATUSES_WITHOUT_BODY:
        return Response(status_code=answer.status, headers=answer.headers)
    told = {"received": True} if answer.status < 300 else {"error": f"told to say {answer.status}"}
    return JSONResponse(told, status_code=answer.status, headers=answer.headers)
