"""The API's description: what every route may answer beside success, and who may ask."""

from collections import defaultdict
from typing import Any, Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel
from starlette.types import Lifespan

from api_gateway.auth import SCHEME, scope_needed
from api_gateway.problems import MEDIA_TYPE, describe, internal, invalid_request
from api_gateway.schemas import INPUT, FieldProblem, Problem
from generations.errors import (
    BodyTooLarge,
    BodyTooSlow,
    DarkroomError,
    Forbidden,
    HeadersTooLarge,
    StoreUnavailable,
    Unauthorized,
)

ABOUT: Final = """
Hand in a generation, get an id at once, and be called back when it has ended.

The routes under *RunComfy* have RunComfy's paths, bodies and words, so that a RunComfy client
needs another base URL and key only. Those under *generations* show everything that is on
record. Both are about the same generations.
"""

#: The body of RunComfy's submit, which is read by hand (``bodies.py``).
INPUT_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The model's input: the fields of its schema, not wrapped in anything.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": INPUT}},
    }
}


def takes(schema: dict[str, Any]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that reads its body by hand."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def schema_of(schema: type[BaseModel]) -> dict[str, Any]:
    """A schema that stands where it is used."""
    described = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    # Its parts are in the components already: other routes take the same in their queries.
    described.pop("$defs", None)
    return described


def saying(name: str, **how: Any) -> dict[str, Any]:
    """A schema of objects that have a member, as it says."""
    return {"properties": {name: how}, "required": [name]}


def problems(*errors: type[DarkroomError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may raise these; a broken gateway is always one."""
    return _responses([*(describe(error()) for error in errors), internal()])


def refusals(*errors: type[DarkroomError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route for origins: what each of them may raise, and these."""
    fields = invalid_request([FieldProblem(pointer="#/input", message="Field required")])
    slow = [BodyTooSlow] if BodyTooLarge in errors else []
    told: list[type[DarkroomError]] = [
        Unauthorized,
        Forbidden,
        HeadersTooLarge,
        *errors,
        *slow,
        StoreUnavailable,
    ]
    return _responses([*(describe(error()) for error in told), fields, internal()])


def _responses(found: list[Problem]) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int, list[Problem]] = defaultdict(list)
    for problem in found:
        by_status[problem.status].append(problem)
    return {
        status: {
            "description": " ".join(f"`{p.code}`: {p.detail}" for p in same),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {p.code: {"value": p.model_dump(exclude_none=True)} for p in same},
                }
            },
        }
        for status, same in by_status.items()
    }


#: FastAPI's own spans and logs hold what a request's query and an error's message say: endpoints
#: with their secrets, prompts. Ours are traces.py's.
NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class Described(FastAPI):
    """FastAPI that knows our problems, which it cannot describe by itself."""

    def __init__(self, *, docs: bool, lifespan: Lifespan[FastAPI]) -> None:
        super().__init__(
            title="Darkroom",
            version="1",
            description=ABOUT,
            lifespan=lifespan,
            openapi_url="/openapi.json" if docs else None,
            redoc_url=None,
            # A path that is not exactly right is a 404: a redirected POST loses its body.
            redirect_slashes=False,
            telemetry=NO_TELEMETRY,
        )

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document; made once."""
        if self.openapi_schema:
            return self.openapi_schema
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs") | {"Problem": problem}
        _name_scopes(document)
        _leave_nulls_to_bodies(document)
        return document


def _leave_nulls_to_bodies(document: dict[str, Any]) -> None:
    # FastAPI lets what may be left out be null as well, but a URL or a header has no null.
    operations = [o for methods in document["paths"].values() for o in methods.values()]
    for parameter in (p for operation in operations for p in operation.get("parameters", ())):
        schema = parameter["schema"]
        kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
        schema |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}


def _name_scopes(document: dict[str, Any]) -> None:
    # OpenAPI 3.1 has room for the roles that any scheme asks for, FastAPI for OAuth's only.
    for methods in document["paths"].values():
        for method, operation in methods.items():
            if "security" in operation:
                operation["security"] = [{SCHEME: [str(scope_needed(method))]}]
