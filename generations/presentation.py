"""Generations in RunComfy's words: what its routes answer and what callbacks carry."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from generations.lifecycle import Status, is_finished
from generations.model import Delivery, Generation, GenerationError, Moment

#: RunComfy's ``completed`` only means "stopped running"; the result says how it ended.
#: https://docs.runcomfy.com/model-apis/async-queue-endpoints
SHOWN: Final[Mapping[Status, str]] = {
    Status.QUEUED: "in_queue",
    Status.SUBMITTING: "in_queue",
    Status.IN_QUEUE: "in_queue",
    Status.IN_PROGRESS: "in_progress",
    Status.SUCCEEDED: "completed",
    Status.FAILED: "completed",
    Status.CANCELLED: "cancelled",
}


def shown_status(status: Status) -> str:
    """The word on RunComfy's status route."""
    return SHOWN[status]


def rfc3339(at: datetime | None) -> str | None:
    """An instant with milliseconds, in UTC."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def runcomfy_instant(at: datetime) -> str:
    """An instant as RunComfy writes it: microseconds and a numeric offset.

    Clients in Go parse exactly that; "Z" is an error to them.
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def error_body(error: GenerationError | None) -> dict[str, str] | None:
    """Why a generation failed, as every answer and callback says it."""
    return {"code": error.code, "message": error.message} if error else None


def result_body(generation: Generation, *, queue_position: int | None = None) -> dict[str, Any]:
    """RunComfy's result, at any time: before the end, where the request is.

    A failure is a text, as RunComfy's clients read it; our code for it is on our own face.
    """
    body: dict[str, Any] = {
        "request_id": generation.id,
        "model_id": generation.model_id,
        "status": shown_status(generation.status),
        "input": generation.input,
        "created_at": runcomfy_instant(generation.created_at),
    }
    if generation.metadata:
        # RunComfy has none: a client that gives none sees RunComfy's answer and no more.
        body["metadata"] = dict(generation.metadata)
    if queue_position is not None:
        body["queue_position"] = queue_position
    return body | _ending(generation)


def _ending(generation: Generation) -> dict[str, Any]:
    if generation.finished_at is None:
        return {}
    ending: dict[str, Any] = {
        "status": generation.status,
        "finished_at": runcomfy_instant(generation.finished_at),
    }
    if generation.output is not None:
        ending["output"] = generation.output
    if generation.error is not None:
        ending["error"] = generation.error.message
    return ending


def event_body(generation: Generation, sequence: int) -> dict[str, Any]:
    """One event, ``{type, timestamp, data}``, as callbacks and event streams carry it.

    ``sequence`` is the number of the told move in the timeline, from 1. The answer is the
    same whenever it is asked for, but for a cost that came to be known meanwhile.
    """
    generation = _as_told(generation, sequence)
    told = generation.timeline[sequence - 1]
    is_end = is_finished(told.status)
    return {
        "type": told.event_type,
        "timestamp": rfc3339(told.at),
        "data": {
            "request_id": generation.id,
            "model_id": generation.model_id,
            "status": told.status,
            "output": generation.output if is_end else None,
            "error": error_body(generation.error) if is_end else None,
            "created_at": rfc3339(generation.created_at),
            "finished_at": rfc3339(told.at) if is_end else None,
            "sequence": sequence,
            "submissions": generation.submissions,
            "possible_duplicate_charge": generation.possible_duplicate_charge,
            "cost": generation.cost if is_end and not generation.is_cost_late else None,
            "timings": timings(generation.timeline[:sequence]),
            "metadata": dict(generation.metadata),
        },
    }


def callback_body(delivery: Delivery, generation: Generation | None) -> dict[str, Any]:
    """What a delivery tells: an event of its generation, or a test where there is none."""
    if generation is not None:
        return event_body(generation, delivery.sequence)
    return {
        "type": delivery.event_type,
        "timestamp": rfc3339(delivery.created_at),
        "data": {"delivery_id": delivery.id},
    }


def timings(timeline: Sequence[Moment]) -> dict[str, float]:
    """Seconds spent in each status that was left again; together, from the first to the last."""
    spent: dict[str, float] = {}
    for here, there in pairwise(timeline):
        seconds = (there.at - here.at).total_seconds()
        spent[here.status] = round(spent.get(here.status, 0) + seconds, 3)
    return spent


def _as_told(generation: Generation, sequence: int) -> Generation:
    """What an operator reopened since, as it was until then."""
    past = next((end for end in generation.past_ends if end.sequence >= sequence), None)
    if past is None:
        return generation
    return replace(
        generation,
        output=None,
        error=past.error,
        # What can be reopened was never charged for, as far as RunComfy said.
        cost=None,
        submissions=past.submissions,
        possible_duplicate_charge=past.possible_duplicate_charge,
    )
