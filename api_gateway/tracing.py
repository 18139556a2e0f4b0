"""The trace that a request belongs to, by the headers of W3C Trace Context."""

from typing import Any, Final

from fastapi import Request

from generations.trace import LONGEST_STATE, Trace, read_trace

_PARENT: Final = (
    "The caller's place in a trace (W3C Trace Context). Everything that is done for the "
    "generation belongs to that trace, and its callbacks carry the same headers. One that is "
    "not well-formed is ignored."
)
_STATE: Final = (
    f"Goes with `traceparent`, and is passed on as it is, up to {LONGEST_STATE} characters."
)


def traced(extra: dict[str, Any]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that takes these headers beside what it says already."""
    headers = {"traceparent": _PARENT, "tracestate": _STATE}
    parameters = [
        {"name": name, "in": "header", "description": said, "schema": {"type": "string"}}
        for name, said in headers.items()
    ]
    return {**extra, "parameters": [*extra.get("parameters", ()), *parameters]}


def trace_of(request: Request) -> Trace | None:
    """The trace that a request names, if it does."""
    parents = request.headers.getlist("traceparent")
    return read_trace(parents, request.headers.getlist("tracestate")) if parents else None
