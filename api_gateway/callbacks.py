"""Callbacks as the API's description has them. Workers send them; this only says what they are.

The bodies are those of ``generations/presentation.py``, and the same on event streams.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from api_gateway.schemas import MODEL_ID, ErrorBody, Instant
from generations.lifecycle import Status

_F = TypeVar("_F", bound=Callable[..., Any])

router = APIRouter(tags=["callbacks"])

#: What becomes of an attempt by what the endpoint answers.
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Taken, as with any 2xx, whatever the body of the answer says."},
    "410": {"description": "The endpoint wants no more of this: it is not tried again."},
    "429": {"description": "Later; `Retry-After` says when."},
    "503": {"description": "Later; `Retry-After` says when."},
    "default": {"description": "Not taken, redirects too: the end is tried again by schedule."},
}

SUCCEEDED: Final[dict[str, Any]] = {
    "type": "generation.succeeded",
    "timestamp": "2026-11-22T22:27:39.104Z",
    "data": {
        "request_id": "gen_01M82P1PYJXCCQKQW58TGX2232",
        "model_id": MODEL_ID,
        "status": "succeeded",
        "output": {"video": "https://….mp4", "videos": ["https://….mp4"]},
        "error": None,
        "created_at": "2026-11-22T22:27:13.470Z",
        "finished_at": "2026-11-22T22:27:39.104Z",
        "sequence": 5,
        "submissions": 1,
        "possible_duplicate_charge": False,
        "cost": 0.26,
        "timings": {
            "queued": 0.031,
            "submitting": 0.022,
            "in_queue": 3.411,
            "in_progress": 22.17,
        },
        "metadata": {"order": "4711"},
    },
}


class EventData(BaseModel):
    """A generation as an event tells it: RunComfy's fields, and what Darkroom knows beside."""

    request_id: str = Field(
        description="The generation's id, as the submit answered it.",
        examples=["gen_01M82P1PYJXCCQKQW58TGX2232"],
    )
    model_id: str = Field(description="RunComfy's model id.", examples=[MODEL_ID])
    status: Status = Field(description="The status that was entered.")
    output: Any = Field(description="What it produced, as RunComfy gave it; null before the end.")
    error: ErrorBody | None = Field(description="Why it failed; null where it did not.")
    created_at: Instant = Field(description="When it was accepted.")
    finished_at: Instant | None = Field(description="When it ended; null before the end.")
    sequence: int = Field(
        ge=1,
        description="The number of the event among the generation's moves, from 1. Events of one "
        "generation come in this order: what has no greater number than the last is a repetition.",
    )
    submissions: int = Field(
        ge=0, description="How many submissions RunComfy may have charged for."
    )
    possible_duplicate_charge: bool = Field(
        description="Whether it was submitted again although an earlier submission was uncertain."
    )
    cost: float | None = Field(
        description="US dollars, as RunComfy gave it; null before the end, and while RunComfy "
        "does not say: it may do so only some seconds later, and then the record has it."
    )
    timings: dict[Status, float] = Field(
        description="Seconds spent in each status that was left again, right to the millisecond. "
        "From created_at on, one after the other, they lead to the event's timestamp."
    )
    metadata: dict[str, str] = Field(description="What its caller noted on it.")


class Event(BaseModel):
    """What happened, as Standard Webhooks has it."""

    timestamp: Instant = Field(description="When it happened, whenever it is sent.")
    data: EventData


class InQueueEvent(Event):
    """RunComfy has it, and will begin."""

    type: Literal["generation.in_queue"]


class InProgressEvent(Event):
    """RunComfy has begun."""

    type: Literal["generation.in_progress"]


class SucceededEvent(Event):
    """It has ended, and there is an output."""

    model_config = ConfigDict(json_schema_extra={"examples": [SUCCEEDED]})

    type: Literal["generation.succeeded"]


class FailedEvent(Event):
    """It has ended without an output; error says why."""

    type: Literal["generation.failed"]


class CancelledEvent(Event):
    """It was cancelled."""

    type: Literal["generation.cancelled"]


class SignatureHeaders(BaseModel):
    """What is sent beside the body, so that it can be verified (https://www.standardwebhooks.com)."""

    webhook_id: str = Field(
        description="The event's id, the same at every attempt.",
        examples=["evt_01M82P2EWXPZ0YB0T1WJ0JQX2N"],
    )
    webhook_timestamp: int = Field(description="When the attempt was made, in Unix seconds.")
    webhook_signature: str = Field(
        description="Signatures of `webhook-id.webhook-timestamp.body`, with spaces between them; "
        "one that verifies is enough. `v1,…`: HMAC-SHA256, one for each secret of the origin that "
        "is active. `v1a,…`: ed25519, one for each of Darkroom's signing keys, where it has some "
        "(`/.well-known/jwks.json`).",
        examples=["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
    )


Signed = Annotated[SignatureHeaders, Header()]


def _told(status: str, summary: str) -> Callable[[_F], _F]:
    return router.post(
        f"generation.{status}",
        operation_id=f"told_{status}",
        summary=summary,
        response_class=Response,
        responses=ANSWERS,
    )


@_told("in_queue", "RunComfy has it")
async def told_in_queue(body: InQueueEvent, signed: Signed) -> None:
    """Sent only with `webhook_intermediate_status`; given up once a later event is there."""


@_told("in_progress", "RunComfy has begun")
async def told_in_progress(body: InProgressEvent, signed: Signed) -> None:
    """Sent only with `webhook_intermediate_status`; given up once a later event is there."""


@_told("succeeded", "It has succeeded")
async def told_succeeded(body: SucceededEvent, signed: Signed) -> None:
    """Sent until it is taken, for three days at most; perhaps more than once."""


@_told("failed", "It has failed")
async def told_failed(body: FailedEvent, signed: Signed) -> None:
    """Sent until it is taken, for three days at most; perhaps more than once."""


@_told("cancelled", "It was cancelled")
async def told_cancelled(body: CancelledEvent, signed: Signed) -> None:
    """Sent until it is taken, for three days at most; perhaps more than once."""
