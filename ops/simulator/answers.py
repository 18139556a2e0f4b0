"""What RunComfy says about a request: the bodies of sections 1.3 to 1.7 of the reference.

Pure: the instant and the caller's origin are arguments.
"""

from typing import Any, Final

from ops.simulator.ledger import Outcome, Submission
from ops.simulator.settings import SimulatorSettings
from ops.simulator.timeline import NEVER, State, to_iso

Body = dict[str, Any]

_ERRORS: Final = {
    Outcome.FAILED: "Simulated failure: the generation did not succeed.",
    Outcome.IMAGE_INVALID: "The image's width and height must not be under 300 pixels.",
}


def routes(submission: Submission, origin: str) -> dict[str, str]:
    """The URLs of a request on the origin that the caller used."""
    base = f"{origin}/v1/requests/{submission.request_id}"
    return {f"{name}_url": f"{base}/{name}" for name in ("status", "result", "cancel")}


def submitted(submission: Submission, origin: str) -> Body:
    return {"request_id": submission.request_id} | routes(submission, origin)


def status_word(submission: Submission, settings: SimulatorSettings, now: float) -> str:
    """The word on the status route, where "completed" says nothing of success."""
    match submission.timeline.state_at(now):
        case State.CANCELLED:
            return settings.cancelled_word
        case State.ENDED if submission.outcome is Outcome.SUCCEEDED:
            return "completed"
        case State.ENDED:
            return settings.failed_on_status
        case unfinished:
            return unfinished.value


def status(submission: Submission, settings: SimulatorSettings, *, now: float, origin: str) -> Body:
    urls = routes(submission, origin)
    del urls["cancel_url"]  # Documented for the submission's answer only.
    return _progress(submission, settings, now) | urls


def _progress(submission: Submission, settings: SimulatorSettings, now: float) -> Body:
    timeline = submission.timeline
    word = status_word(submission, settings, now)
    body: Body = {"request_id": submission.request_id, "status": word}
    if timeline.state_at(now) is State.IN_QUEUE:
        body["queue_position"] = settings.queue_position_base + timeline.waiting_before_at(now)
    return body


def is_ended(submission: Submission, now: float) -> bool:
    return submission.timeline.state_at(now) in {State.ENDED, State.CANCELLED}


def result(
    submission: Submission,
    settings: SimulatorSettings,
    *,
    now: float,
    origin: str,
    with_cost: bool,
) -> Body:
    """The result, or the present status while there is none."""
    body = _progress(submission, settings, now) | {
        "model_id": submission.model.model_id,
        "created_at": to_iso(submission.timeline.accepted_at),
    }
    if settings.echo_input:
        body["input"] = submission.input
    if is_ended(submission, now):
        body["finished_at"] = to_iso(submission.timeline.ended_at)
    if submission.timeline.state_at(now) is State.ENDED:
        body |= _ending(submission, settings, origin)
        if with_cost and now >= _cost_known_at(submission, settings):
            body["cost"] = submission.cost
    return body


def _ending(submission: Submission, settings: SimulatorSettings, origin: str) -> Body:
    if submission.outcome is Outcome.SUCCEEDED:
        return {"status": settings.success_word, "output": _output(submission, origin)}
    return {"status": "failed", "error": _error(_ERRORS[submission.outcome], settings)}


def _output(submission: Submission, origin: str) -> Body:
    urls = [f"{origin}/outputs/{name}" for name in submission.output_names]
    kind = submission.model.makes
    return {kind: urls[0], f"{kind}s": urls}


def _error(message: str, settings: SimulatorSettings) -> object:
    match settings.failed_error:
        case "object":
            return {"type": "generation_failed", "message": message}
        case "list":
            return [{"errorCode": 500001, "error": message, "debugInfo": ""}]
        case "string":
            return message


def _cost_known_at(submission: Submission, settings: SimulatorSettings) -> float:
    if submission.outcome is not Outcome.SUCCEEDED:
        return NEVER  # Whether a failed job is charged is not documented.
    late = settings.cost_takes.total_seconds() / settings.speed if settings.cost == "late" else 0.0
    return submission.timeline.ended_at + late


def internal_view(submission: Submission, settings: SimulatorSettings, now: float) -> Body:
    """Everything the simulator knows, for the control routes."""
    timeline = submission.timeline
    return ledger_entry(submission) | {
        "state": timeline.state_at(now).value,
        "status": status_word(submission, settings, now),
        "outcome": submission.outcome.value,
        "started_at": to_iso(timeline.started_at),
        "ended_at": to_iso(timeline.ended_at),
        "cancelled_at": to_iso(timeline.cancelled_at),
        "cost": submission.cost,
        "calls": dict(submission.calls),
    }


def ledger_entry(submission: Submission) -> Body:
    return {
        "request_id": submission.request_id,
        "model_id": submission.model.model_id,
        "input": submission.input,
        "accepted_at": to_iso(submission.timeline.accepted_at),
        "token": submission.account,
    }
