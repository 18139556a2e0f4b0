"""Routes whose arguments are bound in one pass, for those that every generation takes.

FastAPI's own way of solving a route's arguments costs more CPU than all the rest of an accept.
A route of this class is declared, and described to callers, as any other; what it may take is
what :func:`_reader_of` knows, and anything else is refused when the program starts.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, Final, get_args, get_origin

from fastapi import Request, Response, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

#: Takes a request and the answer that is being made; returns one argument.
Read = Callable[[Request, Response], Any]
_JSON: Final = "application/json"


class DirectRoute(APIRoute):
    """A route that returns a model, and takes nothing but what this module reads."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request, in place of FastAPI's own."""
        first, others = _readers_of(self.endpoint)
        status_code, is_brief = self.status_code or 200, self.response_model_exclude_unset

        async def answer(request: Request) -> Response:
            response = Response()
            del response.headers["content-length"]
            # Who asks comes first: nobody else is told what is wrong with a request.
            arguments = {name: await read(request) for name, read in first.items()}
            arguments |= _bound(others, request, response)
            returned: BaseModel = await self.endpoint(**arguments)
            body = returned.model_dump_json(by_alias=True, exclude_unset=is_brief)
            made = Response(body, status_code, media_type=_JSON)
            made.raw_headers += response.raw_headers
            return made

        return answer


def _bound(readers: dict[str, Read], request: Request, response: Response) -> dict[str, Any]:
    bound: dict[str, Any] = {}
    errors: list[Any] = []
    for name, read in readers.items():
        try:
            bound[name] = read(request, response)
        except RequestValidationError as exc:
            errors += exc.errors()
    if errors:
        raise RequestValidationError(errors)
    return bound


def _readers_of(
    endpoint: Callable[..., Any],
) -> tuple[dict[str, Callable[[Request], Awaitable[Any]]], dict[str, Read]]:
    """The readers of an endpoint's arguments: its dependencies, and all others."""
    first, others = {}, {}
    for name, parameter in inspect.signature(endpoint, eval_str=True).parameters.items():
        declared = parameter.annotation
        how = get_args(declared)[1] if get_origin(declared) is Annotated else None
        if isinstance(how, params.Depends):
            assert how.dependency is not None  # noqa: S101  # Declared so nowhere.
            first[name] = how.dependency
        else:
            others[name] = _reader_of(name, declared, how, parameter.default)
    return first, others


def _reader_of(name: str, declared: Any, how: Any, default: Any) -> Read:
    if declared is Request:
        return lambda request, _: request
    if declared is Response:
        return lambda _, response: response
    if isinstance(how, params.Path):
        return lambda request, _: request.path_params[name]
    if isinstance(how, params.Query):
        return _query_reader(get_args(declared)[0])
    if any(isinstance(one, params.Header) for one in get_args(declared)):
        return _header_reader(name.replace("_", "-"), declared, default)
    raise TypeError(f"A direct route cannot take {name} as {declared!r}.")


def _query_reader(model: type[BaseModel]) -> Read:
    nothing_asked = model()
    known = set(model.model_fields)

    def read(request: Request, _: Response) -> Any:
        if not request.scope["query_string"]:
            return nothing_asked
        asked = {name: text for name, text in request.query_params.items() if name in known}
        return _valid(model.model_validate, asked, "query")

    return read


def _header_reader(header: str, declared: Any, default: Any) -> Read:
    adapter: TypeAdapter[Any] = TypeAdapter(declared)
    is_list = "list[" in str(get_args(declared)[0])

    def read(request: Request, _: Response) -> Any:
        found: Any = request.headers.getlist(header)
        if not found:
            return default
        return _valid(adapter.validate_python, found if is_list else found[-1], "header", header)

    return read


def _valid(validate: Callable[[Any], Any], value: Any, *where: str) -> Any:
    try:
        return validate(value)
    except ValidationError as exc:
        found = exc.errors(include_input=False, include_url=False, include_context=False)
        raise RequestValidationError([{**e, "loc": (*where, *e["loc"])} for e in found]) from exc
