"""Records and answers for tests, which name only what the test is about."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from generations.ids import DELIVERY, EVENT, GENERATION, new_id
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Attempt, Delivery, Generation, Moment, NewGeneration
from worker.answers import Answer

SEEDANCE: Final = "bytedance/seedance-v1.5-pro/image-to-video"
#: The catalog does not list it, so that any input passes; the simulator runs it.
UNLISTED: Final = "runcomfy/unlisted/text-to-image"
NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENDPOINT: Final = "https://studio.example/callback"

#: The statuses that a generation usually passes on its way.
USUAL_WAY: Final[Mapping[Status, tuple[Status, ...]]] = {
    Status.QUEUED: (),
    Status.SUBMITTING: (Status.QUEUED,),
    Status.IN_QUEUE: (Status.QUEUED, Status.SUBMITTING),
    Status.IN_PROGRESS: (Status.QUEUED, Status.SUBMITTING, Status.IN_QUEUE),
    Status.SUCCEEDED: (Status.QUEUED, Status.SUBMITTING, Status.IN_QUEUE, Status.IN_PROGRESS),
    Status.FAILED: (Status.QUEUED, Status.SUBMITTING, Status.IN_QUEUE, Status.IN_PROGRESS),
    Status.CANCELLED: (Status.QUEUED, Status.SUBMITTING, Status.IN_QUEUE),
}


def a_timeline(status: Status) -> tuple[Moment, ...]:
    """One second for each status on the usual way."""
    statuses = (*USUAL_WAY[status], status)
    return tuple(Moment(s, NOW + timedelta(seconds=n)) for n, s in enumerate(statuses))


def a_generation(*, status: Status = Status.QUEUED, **fields: Any) -> Generation:
    """A generation accepted NOW by the origin "studio"."""
    facts: dict[str, Any] = {
        "id": new_id(GENERATION),
        "origin": "studio",
        "model_id": SEEDANCE,
        "input": {"prompt": "A gentle breeze"},
        "created_at": NOW,
        "deadline": NOW + timedelta(hours=24),
        "timeline": a_timeline(status),
    }
    if status in {Status.IN_QUEUE, Status.IN_PROGRESS, Status.SUCCEEDED}:
        facts["runcomfy_request_id"] = "rc-1"
    return Generation(**{**facts, **fields, "status": status})


def a_new_generation(**fields: Any) -> NewGeneration:
    """What the origin "studio" asks for."""
    facts: dict[str, Any] = {
        "id": new_id(GENERATION),
        "origin": "studio",
        "model_id": SEEDANCE,
        "input": {"prompt": "A gentle breeze"},
    }
    return NewGeneration(**{**facts, **fields})


def a_delivery(*, told: Status = Status.SUCCEEDED, **fields: Any) -> Delivery:
    """A delivery that was not attempted yet."""
    facts: dict[str, Any] = {
        "id": new_id(DELIVERY),
        "generation_id": new_id(GENERATION),
        "origin": "studio",
        "event_id": new_id(EVENT),
        "endpoint": ENDPOINT,
        "status": DeliveryStatus.PENDING,
        "created_at": NOW,
    }
    return Delivery(**{**facts, **fields, "told": told})


def an_attempt(*, number: int = 1, **fields: Any) -> Attempt:
    """An attempt that the endpoint took, unless the fields say otherwise."""
    facts: dict[str, Any] = {"at": NOW, "duration_ms": 12, "status_code": 200}
    return Attempt(**{**facts, **fields, "number": number})


def an_answer(status_code: int = 200, body: Any = b"", **headers: str) -> Answer:
    """An HTTP answer; a body that is not bytes is sent as JSON, ``_`` in headers is ``-``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status_code, named, content)


def http_date(at: datetime) -> str:
    """An instant as HTTP writes it."""
    return format_datetime(at.astimezone(UTC), usegmt=True)
