"""RunComfy's Model API without I/O: paths out, answers in, its words to ours.

https://docs.runcomfy.com/model-apis/async-queue-endpoints and …/error-codes. What these
pages leave open is read tolerantly: every spelling that an official client accepts.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from generations.errors import (
    RunComfyRejected,
    RunComfyThrottled,
    RunComfyUnavailable,
    SubmissionUncertain,
)
from generations.lifecycle import Status
from worker.answers import Answer, retry_after

#: RunComfy's words, in lower case. ``completed`` alone means "stopped running": whether it
#: succeeded is read from the result, where official clients take it for ``succeeded``.
WORDS: Final[Mapping[str, Status]] = {
    "in_queue": Status.IN_QUEUE,
    "queued": Status.IN_QUEUE,
    "pending": Status.IN_QUEUE,
    "waiting": Status.IN_QUEUE,
    "starting": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    "processing": Status.IN_PROGRESS,
    "running": Status.IN_PROGRESS,
    "completed": Status.SUCCEEDED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "canceled": Status.CANCELLED,
}

#: https://docs.runcomfy.com/model-apis/error-codes; clients see 402 for an empty balance too.
NO_BALANCE: Final = frozenset({"400002", "10001"})
BAD_TOKEN: Final = frozenset({"400004", "401001"})
UNKNOWN_REQUEST: Final = "404001"
#: How a service says that a request cannot be cancelled (any more); a later poll says why.
REFUSED_CANCEL: Final = frozenset({400, 405, 409, 410, 422})
#: An escape that may be half of a surrogate pair.
HALF_PAIR: Final = re.compile(rb"\\u[dD][89a-fA-F]")
#: Where the sentence of a refusal may be, the best first.
MESSAGES: Final = ("error_message", "message", "error")
LONGEST_MESSAGE: Final = 500
LONGEST_ID: Final = 200


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


#: NaN and Infinity are no JSON, and could not be told to an origin. Made once: json.loads would
#: make one for every answer.
JSON: Final = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a poll saw, in our words."""

    #: None where RunComfy used a word that nobody knows: still running, says experience.
    status: Status | None
    queue_position: int | None = None
    output: Any = None
    error: str | None = None
    cost: float | None = None
    #: When it ended, on RunComfy's own clock; None where the answer does not tell.
    finished_at: datetime | None = None
    #: From its submission to its end, both by RunComfy's own clock, where it says so.
    took: timedelta | None = None


@dataclass(frozen=True, slots=True)
class NotThere:
    """RunComfy answered that it does not know the request, or has no output for it."""


def submit_path(model_id: str) -> str:
    """Where a model is run; its id keeps its slashes."""
    return f"/models/{quote(model_id, safe='/')}"


def request_path(request_id: str, what: str) -> str:
    """Where a request's ``status``, ``result`` or ``cancel`` is."""
    return f"/requests/{quote(request_id, safe='')}/{what}"


def _throttled(answer: Answer) -> RunComfyUnavailable:
    """A 429: everybody's matter where it says for how long, else that of its call alone."""
    asked = retry_after(answer)
    if asked is None:
        return RunComfyUnavailable("RunComfy asked for fewer requests.")
    return RunComfyThrottled(retry_after=asked)


def read_submission(answer: Answer) -> str:
    """RunComfy's id for what it accepted.

    Raises:
        RunComfyThrottled: turned away with 429 for some time, not accepted.
        RunComfyUnavailable: turned away with 429, or our token was; nothing is wrong with the
            input.
        RunComfyRejected: refused, including by a 200 with an ``error_code``.
        SubmissionUncertain: an answer that proves neither (a 5xx, a redirect, no id in it).
    """
    if answer.status_code == 429:
        raise _throttled(answer)
    body = _json_object(answer.body)
    code = _error_code(answer, body)
    if _is_refusal(answer, code):
        if answer.status_code == 401 or code in BAD_TOKEN:
            raise RunComfyUnavailable(
                "RunComfy does not accept the token; check RUNCOMFY_API_TOKEN."
            )
        empty = answer.status_code == 402 or code in NO_BALANCE
        raise RunComfyRejected(_message(answer, body), no_balance=empty)
    request_id = body.get("request_id")
    if not 200 <= answer.status_code < 300 or code is not None or not _is_usable_id(request_id):
        raise SubmissionUncertain(
            f"RunComfy answered the submission with {answer.status_code} and no usable id."
        )
    return str(request_id)


def read_status(answer: Answer) -> Observation | NotThere:
    """Where a request is; ``completed`` reads as SUCCEEDED until the result is read.

    Raises:
        RunComfyUnavailable: no usable answer; ask again later.
    """
    body = body_of(answer)
    if isinstance(body, NotThere):
        return body
    position = body.get("queue_position")
    return Observation(
        status=_word(body),
        queue_position=position if type(position) is int else None,
    )


def read_result(answer: Answer) -> Observation | NotThere:
    """How a request ended; before that, where it is.

    Only ``output`` is read for what was made: the answer echoes the input, URLs and all.

    Raises:
        RunComfyUnavailable: no usable answer; ask again later.
    """
    body = body_of(answer)
    if isinstance(body, NotThere):
        return body
    status = _word(body)
    output = body.get("output")
    if status is Status.SUCCEEDED and output is None:
        return NotThere()
    return Observation(
        status=status,
        output=output,
        error=_failure(body) if status is Status.FAILED else None,
        cost=_cost(body),
        finished_at=_instant(body.get("finished_at")),
        took=_took(body),
    )


def read_cancel(answer: Answer) -> str:
    """RunComfy's word on a cancel, such as ``cancelled`` or ``not_cancellable``.

    Raises:
        RunComfyUnavailable: no usable answer; ask again later.
    """
    code = _error_code(answer, _json_object(answer.body))
    if answer.status_code in REFUSED_CANCEL and code not in BAD_TOKEN:
        return "not_cancellable"
    body = body_of(answer)
    if isinstance(body, NotThere):
        return "not_cancellable"
    word = str(body.get("outcome") or body.get("status") or "").lower()
    return "cancelled" if WORDS.get(word) is Status.CANCELLED else word or "not_cancellable"


def _took(body: Mapping[str, Any]) -> timedelta | None:
    try:
        created, finished = (
            datetime.fromisoformat(body[name]) for name in ("created_at", "finished_at")
        )
        took = finished - created
    except (KeyError, TypeError, ValueError):
        return None
    return took if took > timedelta() else None


def _is_refusal(answer: Answer, code: str | None) -> bool:
    """Whether a submission was certainly not accepted, as opposed to perhaps not."""
    if 200 <= answer.status_code < 300:
        # 500001 is RunComfy's own failure, which proves as little as a 5xx does.
        return code is not None and not code.startswith("5")
    # 408 is no refusal: a proxy may send it when the request was already passed on.
    return 400 <= answer.status_code < 500 and answer.status_code != 408


def _is_usable_id(found: Any) -> bool:
    """Whether it can be kept and put in a URL; the format is documented nowhere."""
    is_text = isinstance(found, str) and 0 < len(found) <= LONGEST_ID
    return is_text and found.isascii() and found.isprintable()


def body_of(answer: Answer) -> dict[str, Any] | NotThere:
    """The body of an answer to something that may be asked again.

    Raises:
        RunComfyUnavailable: it is an error, or there is none.
    """
    body = _json_object(answer.body)
    code = _error_code(answer, body)
    if code == UNKNOWN_REQUEST or _is_own_404(answer, body):
        return NotThere()
    if answer.status_code == 429:
        raise _throttled(answer)
    # An error code beside "failed" is the generation's own, and no failure to answer.
    is_error = code is not None and _word(body) not in {Status.FAILED, Status.CANCELLED}
    if is_error or not 200 <= answer.status_code < 300 or not body:
        asked = retry_after(answer) if answer.status_code == 503 else None
        raise RunComfyUnavailable(
            f"RunComfy answered {answer.status_code}: {_message(answer, body)}", retry_after=asked
        )
    return body


def _is_own_404(answer: Answer, body: Mapping[str, Any]) -> bool:
    """Whether RunComfy itself says 404: whatever is before it has pages and words of its own."""
    return answer.status_code == 404 and isinstance(body.get("error_message"), str)


def _word(body: Mapping[str, Any]) -> Status | None:
    return WORDS.get(str(body.get("status", "")).lower())


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = JSON.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
        if HALF_PAIR.search(body):
            found = _without_halves(found)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _without_halves(value: Any) -> Any:
    """The same without halves of surrogate pairs, which a cut emoji leaves: no UTF-8 has them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(item) for name, item in value.items()}
    return value


def _error_code(answer: Answer, body: Mapping[str, Any]) -> str | None:
    """The code of an error, which a 200 may carry too; None where there is none."""
    # "code" alone says nothing beside a 200, where it may be 200 itself.
    code = body.get("error_code") or (body.get("code") if answer.status_code >= 400 else None)
    return str(code) if code else None


def _message(answer: Answer, body: Mapping[str, Any]) -> str:
    said = next((_text(body[name]) for name in MESSAGES if body.get(name)), "")
    detail = body.get("detail")
    # A list names the fields at fault; a text says no more than the message does.
    if detail and (not said or isinstance(detail, list)):
        said = f"{said.rstrip('.:')}: {_text(detail)}" if said else _text(detail)
    return said[:LONGEST_MESSAGE] or f"HTTP {answer.status_code} without a message."


def _failure(body: Mapping[str, Any]) -> str:
    said = body.get("error") or body.get("failure_reason") or body.get("error_message")
    return _text(said) if said else "RunComfy gave no reason."


def _text(said: Any) -> str:
    if isinstance(said, dict):
        said = said.get("message") or said.get("error") or said.get("msg") or said
    if isinstance(said, list):
        said = "; ".join(_detail(item) for item in said)
    return (said if isinstance(said, str) else json.dumps(said))[:LONGEST_MESSAGE]


def _detail(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    loc = item.get("loc")
    parts = loc if isinstance(loc, list) else [loc] if loc else []
    place = ".".join(str(part) for part in parts if part != "body")
    said = item.get("msg") or item.get("error") or item.get("message") or json.dumps(item)
    return f"{place}: {said}" if place else str(said)


def _instant(said: Any) -> datetime | None:
    """An instant as RunComfy writes it: ISO 8601, in UTC where it gives no offset."""
    try:
        at = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _cost(body: Mapping[str, Any]) -> float | None:
    cost = body.get("cost")
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None
