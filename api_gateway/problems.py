"""Errors as HTTP answers: one table from error class to status, and RFC 9457 for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from api_gateway.quotas import refusal_headers
from api_gateway.schemas import FieldProblem, Problem
from generations.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    BodyTooSlow,
    DarkroomError,
    DeliveryNotFound,
    DeliverySuperseded,
    Forbidden,
    GenerationNotFound,
    HeadersTooLarge,
    HttpsRequired,
    IdempotencyConflict,
    InvalidBody,
    InvalidCursor,
    InvalidInput,
    InvalidModelId,
    InvalidWebhook,
    ModelNotFound,
    OverLimit,
    StoreUnavailable,
    Unauthorized,
)
from generations.logs import logger
from generations.metrics import REFUSALS

log = logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

INTERNAL: Final = "Something broke in the gateway and was logged; try again, or tell its operator."
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: Where pydantic means a name in an object, not the value that has it.
NAME_ITSELF: Final = "[key]"
NO_ROUTE: Final = "There is no such route; check the path and its spelling, /v1 included."
INVALID_REQUEST: Final = "Some fields are not as they must be; errors names each and says why."


class RunComfyCode(IntEnum):
    """RunComfy's numbers for what went wrong, under its names.

    https://docs.runcomfy.com/model-apis/error-codes and, from 422001 on,
    https://docs.runcomfy.com/serverless/error-codes
    """

    InvalidResourceIdentifier = 400001
    UserAccountError = 400004
    PermissionDeniedError = 403001
    ResourceNotFound = 404001
    ValidationError = 422001
    InternalError = 500001


@dataclass(frozen=True, slots=True)
class Shape:
    """How an error class looks in HTTP."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    runcomfy: RunComfyCode | None = None


PROBLEMS: Final[Mapping[type[DarkroomError], Shape]] = {
    Unauthorized: Shape(401, {"WWW-Authenticate": "Bearer"}, RunComfyCode.UserAccountError),
    Forbidden: Shape(403, runcomfy=RunComfyCode.PermissionDeniedError),
    # Another origin's generation too: whether an id exists is nobody else's business.
    GenerationNotFound: Shape(404, runcomfy=RunComfyCode.ResourceNotFound),
    DeliveryNotFound: Shape(404),
    DeliverySuperseded: Shape(409),
    InvalidBody: Shape(400, runcomfy=RunComfyCode.ValidationError),
    BodyTooLarge: Shape(413),
    BodyTooSlow: Shape(408),
    HeadersTooLarge: Shape(431),
    InvalidModelId: Shape(400, runcomfy=RunComfyCode.InvalidResourceIdentifier),
    ModelNotFound: Shape(404, runcomfy=RunComfyCode.ResourceNotFound),
    InvalidInput: Shape(422, runcomfy=RunComfyCode.ValidationError),
    InvalidWebhook: Shape(400),
    AddressNotAllowed: Shape(400),
    HttpsRequired: Shape(400),
    IdempotencyConflict: Shape(422),
    InvalidCursor: Shape(422),
    OverLimit: Shape(429),
    StoreUnavailable: Shape(503, {"Retry-After": "1"}, RunComfyCode.InternalError),
}


def answer_with_problems(app: FastAPI) -> None:
    """Make every error that is foreseen a problem; ``edge.py`` has the others."""
    for error in PROBLEMS:
        app.add_exception_handler(error, _on_darkroom_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


def problem_of(error: DarkroomError) -> Response:
    """The answer for an error that the table has."""
    headers = {**PROBLEMS[type(error)].headers, **refusal_headers(error)}
    return answer(describe(error), headers)


def describe(error: DarkroomError) -> Problem:
    """The problem for an error that the table has."""
    shape = PROBLEMS[type(error)]
    problem = _problem(shape.status, error.code, error.message, shape.runcomfy)
    return problem.model_copy(update={"errors": _field_problems(error)})


def internal() -> Problem:
    """The problem for what nobody expected; it tells nothing of what happened."""
    return _problem(500, "internal", INTERNAL, RunComfyCode.InternalError)


def invalid_request(errors: list[FieldProblem]) -> Problem:
    """The problem for fields that are not what the schema asks for."""
    problem = _problem(422, "invalid_request", INVALID_REQUEST, RunComfyCode.ValidationError)
    return problem.model_copy(update={"errors": errors})


def describe_invalid(error: RequestValidationError) -> Problem:
    """The problem for what FastAPI, or a schema of ours, refused."""
    return invalid_request(
        [FieldProblem(pointer=_pointer(e["loc"]), message=e["msg"]) for e in error.errors()]
    )


def answer(problem: Problem, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """A problem as an answer."""
    REFUSALS.labels(problem.code).inc()
    return Response(
        problem.model_dump_json(exclude_none=True),
        problem.status,
        headers=dict(headers),
        media_type=MEDIA_TYPE,
    )


async def _on_darkroom_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, DarkroomError)  # noqa: S101  # Registered for these only.
    if isinstance(exc, StoreUnavailable):
        log.warning("store.unavailable", cause=type(exc.__cause__).__qualname__)
    return problem_of(exc)


async def _on_invalid_request(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)  # noqa: S101  # As above.
    return answer(describe_invalid(exc))


async def _on_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101  # As above.
    if exc.status_code == 404:
        return answer(_problem(404, "route_not_found", NO_ROUTE, RunComfyCode.ResourceNotFound))
    if exc.status_code == 405:
        allow = ", ".join(_methods_of(request))
        detail = f"This path does not take {request.method}; use {allow}."
        return answer(_problem(405, "method_not_allowed", detail), {"Allow": allow})
    phrase = HTTPStatus(exc.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return answer(_problem(exc.status_code, code, f"{phrase}."), exc.headers or {})


def _problem(status: int, code: str, detail: str, runcomfy: RunComfyCode | None = None) -> Problem:
    return Problem(
        type=f"urn:darkroom:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        code=code,
        detail=detail,
        error_message=f"{runcomfy.name}: {detail}" if runcomfy else detail,
        error_code=runcomfy,
    )


def _field_problems(error: DarkroomError) -> list[FieldProblem] | None:
    if not isinstance(error, InvalidInput):
        return None
    found = [(_pointer(("body", *fault.path)), fault.message) for fault in error.faults]
    return [FieldProblem(pointer=where, message=said) for where, said in found] or None


def _pointer(loc: Sequence[int | str]) -> str:
    """A JSON pointer into the body (RFC 6901, as a URI fragment); else "?" and the parameter."""
    place, *rest = (str(part) for part in loc)
    if len(rest) > 2 and rest[-1] == NAME_ITSELF:
        rest.pop()
    if place != "body":
        return f"?{'.'.join(rest)}"
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in rest)
    return "#" + "".join(f"/{quote(part)}" for part in escaped)


def _methods_of(request: Request) -> list[str]:
    # A path that is spelt out has none of the methods of those that would take it for an id.
    spelt_out = request.app.openapi()["paths"].get(request.scope["path"])

    # Starlette's own Allow names the methods of the first route that fits the path.
    def is_taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    found = [method for method in METHODS if is_taken(method)]
    return [m for m in found if spelt_out is None or m.lower() in spelt_out]
