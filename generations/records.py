"""How records are written as Redis hashes, and read back. Pure: strings in, records out.

Text and numbers stand as they are, JSON where the type asks for it, instants as
milliseconds since 1970 (UTC), an empty string for None.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar

from generations.lifecycle import DeliveryStatus, Status
from generations.limits import Limits
from generations.model import (
    ApiKey,
    Attempt,
    Delivery,
    Endpoint,
    ErrorCode,
    Generation,
    GenerationError,
    InputSchema,
    Metadata,
    Moment,
    NewGeneration,
    OnUncertain,
    Origin,
    PastEnd,
    Scope,
    WebhookSecret,
)
from generations.trace import Trace

Fields = Mapping[str, str]
#: Before an endpoint's URL: the field of an origin that holds the endpoint's headers, as JSON.
ENDPOINT_FIELD: Final = "endpoint:"
_T = TypeVar("_T")


def from_ms(ms: int | str) -> datetime:
    """The instant of so many milliseconds since 1970."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def in_ms(wait: timedelta) -> int:
    """A wait in milliseconds, as the scripts take it."""
    return round(wait / timedelta(milliseconds=1))


def dump_json(value: Any) -> str:
    """JSON without spaces, in UTF-8's own letters."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, as a cut emoji leaves it, has no UTF-8, only an escape.
        return json.dumps(value, separators=(",", ":"))
    return text


def _dump_error(error: GenerationError) -> str:
    return dump_json(asdict(error))


WRITERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "output": dump_json,
    "error": _dump_error,
    "input": dump_json,
    "missing_since": lambda at: str(to_ms(at)),
    "looked_at": lambda at: str(to_ms(at)),
    "running_since": lambda at: str(to_ms(at)),
    "past_ends": lambda ends: dump_json([asdict(end) for end in ends]),
}


def write_field(name: str, value: Any) -> str:
    """One field as Redis keeps it."""
    return "" if value is None else WRITERS.get(name, str)(value)


def write_new_generation(new: NewGeneration) -> dict[str, str]:
    """What the origin gave; the store adds status, instants and timeline."""
    # Only what was given is written, so that what is asked for without it has the
    # fingerprint that it had before there was any.
    noted = {"metadata": dump_json(new.metadata)} if new.metadata else {}
    if new.preflight is not None:
        noted["preflight"] = "1" if new.preflight else "0"
    if new.priority:
        noted["priority"] = str(new.priority)
    if new.trace is not None:
        noted |= new.trace.headers
    return {
        "origin": new.origin,
        "model_id": new.model_id,
        "input": dump_json(new.input),
        "webhook": new.webhook or "",
        "intermediate": "1" if new.webhook_intermediate_status else "",
        "on_uncertain": new.on_uncertain or "",
        **noted,
        "schema": new.schema,
    }


def as_accepted(given: Fields, accepted_ms: int, deadline_ms: int) -> Fields:
    """What a hash holds just after its acceptance (``accept.lua``)."""
    return {
        **given,
        "status": Status.QUEUED,
        "created_at": str(accepted_ms),
        "deadline": str(accepted_ms + deadline_ms),
        "timeline": f"{Status.QUEUED}={accepted_ms};",
    }


def read_generation(generation_id: str, fields: Fields) -> Generation:
    """The generation that a hash holds."""
    return Generation(
        id=generation_id,
        origin=fields["origin"],
        model_id=fields["model_id"],
        input=json.loads(fields["input"]),
        status=Status(fields["status"]),
        created_at=from_ms(fields["created_at"]),
        deadline=from_ms(fields["deadline"]),
        timeline=read_timeline(fields["timeline"]),
        schema=_read(fields, "schema", InputSchema) or InputSchema.UNKNOWN,
        webhook=fields.get("webhook") or None,
        webhook_intermediate_status=bool(fields.get("intermediate")),
        on_uncertain=_read(fields, "on_uncertain", OnUncertain),
        preflight=_read(fields, "preflight", lambda text: text == "1"),
        priority=int(fields.get("priority") or 0),
        possible_duplicate_charge=bool(fields.get("possible_duplicate_charge")),
        runcomfy_request_id=fields.get("runcomfy_request_id") or None,
        queue_position=_read(fields, "queue_position", int),
        polls=int(fields.get("polls") or 0),
        submissions=int(fields.get("submissions") or 0),
        failures=int(fields.get("failures") or 0),
        misses=int(fields.get("misses") or 0),
        missing_since=_read(fields, "missing_since", from_ms),
        looked_at=_read(fields, "looked_at", from_ms),
        running_since=_read(fields, "running_since", from_ms),
        output=_read(fields, "output", json.loads),
        error=_read(fields, "error", read_error),
        past_ends=_read(fields, "past_ends", _read_past_ends) or (),
        cost=_read(fields, "cost", float),
        is_cost_late=bool(fields.get("cost_late")),
        preflighted_at=_read(fields, "preflighted_at", from_ms),
        cancel_requested_at=_read(fields, "cancel_requested_at", from_ms),
        cancel_outcome=fields.get("cancel_outcome") or None,
        is_set_aside=bool(fields.get("set_aside")),
        metadata=read_metadata(fields.get("metadata")),
        trace=_read(
            fields, "traceparent", lambda parent: Trace(parent, fields.get("tracestate", ""))
        ),
        delivery_ids=tuple(fields.get("deliveries", "").split()),
    )


def read_delivery(delivery_id: str, fields: Fields) -> Delivery:
    """The delivery that a hash holds."""
    return Delivery(
        id=delivery_id,
        generation_id=fields["generation_id"],
        origin=fields["origin"],
        event_id=fields["event_id"],
        told=_read(fields, "told", Status),
        endpoint=fields["endpoint"],
        status=DeliveryStatus(fields["status"]),
        created_at=from_ms(fields["created_at"]),
        sequence=int(fields["sequence"]),
        attempts=tuple(read_attempt(line) for line in _lines(fields.get("attempts", ""))),
        redelivered_at=_read(fields, "redelivered_at", from_ms),
        attempts_before=int(fields.get("attempts_before") or 0),
        is_set_aside=bool(fields.get("set_aside")),
        to_default=bool(fields.get("to_default")),
        is_taken=bool(fields.get("takes")),
    )


def read_origin(name: str, fields: Fields) -> Origin:
    """The origin that a hash holds."""
    return Origin(
        name=name,
        created_at=from_ms(fields["created_at"]),
        on_uncertain=OnUncertain(fields.get("on_uncertain") or OnUncertain.FAIL),
        preflight=fields.get("preflight") == "1",
        webhook_secrets=read_secrets(fields["webhook_secrets"]),
        limits=Limits(
            accepts_per_second=_read(fields, "accepts_per_second", float),
            max_unfinished=_read(fields, "max_unfinished", int),
            max_in_flight=_read(fields, "max_in_flight", int),
            weight=_read(fields, "weight", float),
        ),
        endpoints=_read_endpoints(fields),
    )


def _read_endpoints(fields: Fields) -> tuple[Endpoint, ...]:
    default = fields.get("default_endpoint")
    urls = sorted(name for name in fields if name.startswith(ENDPOINT_FIELD))
    return tuple(
        Endpoint(url, json.loads(fields[name]), is_default=url == default)
        for name, url in ((name, name.removeprefix(ENDPOINT_FIELD)) for name in urls)
    )


def read_secrets(text: str) -> tuple[WebhookSecret, ...]:
    """The secrets that :file:`rotate_secret.lua` wrote, the newest first."""
    return tuple(_read_secret(written) for written in text.split())


def _read_secret(text: str) -> WebhookSecret:
    # Base64 has no colon.
    secret, _, ends_ms = text.partition(":")
    return WebhookSecret(secret, from_ms(ends_ms) if ends_ms else None)


def read_metadata(text: str | None) -> Metadata:
    """What an origin noted; empty where it noted nothing."""
    noted: Metadata = json.loads(text) if text else {}
    return noted


def write_scopes(scopes: Iterable[Scope]) -> str:
    """Scopes as :func:`read_key` reads them."""
    return " ".join(sorted(scopes))


def read_key(key_id: str, fields: Fields, *, ends_ms: int) -> ApiKey:
    """The API key that a hash holds; ``ends_ms`` is negative where it has no end.

    A key from before there were scopes may do everything.
    """
    return ApiKey(
        id=key_id,
        origin=fields["origin"],
        scopes=_read_scopes(fields.get("scopes", Scope.ADMIN)),
        created_at=from_ms(fields["created_at"]),
        name=fields.get("name") or None,
        last_used_at=_read(fields, "last_used_at", from_ms),
        ends_at=from_ms(ends_ms) if ends_ms >= 0 else None,
    )


def write_timeline(timeline: Iterable[Moment]) -> str:
    """Moments as :func:`read_timeline` reads them; the scripts write the same."""
    return "".join(f"{moment.status}={to_ms(moment.at)};" for moment in timeline)


@cache
def _read_scopes(text: str) -> frozenset[Scope]:
    # Read for every request, and there are few.
    return frozenset(Scope(scope) for scope in text.split())


def read_timeline(text: str) -> tuple[Moment, ...]:
    """``queued=1700000000000;submitting=…;`` as moments."""
    pairs = (entry.split("=") for entry in text.split(";") if entry)
    return tuple(Moment(status=Status(word), at=from_ms(ms)) for word, ms in pairs)


def read_error(text: str) -> GenerationError:
    """The error that :func:`write_field` wrote."""
    return _error_of(json.loads(text))


def _error_of(facts: Mapping[str, str]) -> GenerationError:
    return GenerationError(code=ErrorCode(facts["code"]), message=facts["message"])


def _read_past_ends(text: str) -> tuple[PastEnd, ...]:
    ends = json.loads(text)
    return tuple(
        PastEnd(**{**end, "error": _error_of(end["error"]) if end["error"] else None})
        for end in ends
    )


def write_attempt(attempt: Attempt) -> str:
    """One line of a delivery's attempts."""
    return dump_json({**asdict(attempt), "at": to_ms(attempt.at)}) + "\n"


def read_attempt(line: str) -> Attempt:
    """The attempt that a line holds; an old one has no address and no answer."""
    facts = json.loads(line)
    return Attempt(**{**facts, "at": from_ms(facts["at"])})


def _lines(text: str) -> list[str]:
    # Not splitlines(): an error may hold U+2028 and its like, which JSON leaves as they are.
    return [line for line in text.split("\n") if line]


def _read(fields: Fields, name: str, read: Callable[[str], _T]) -> _T | None:
    text = fields.get(name)
    return read(text) if text else None
