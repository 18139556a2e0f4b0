"""What an origin notes on a generation for itself: how it is given in a body and in a query.

In a query it is ``metadata[key]=value``, once a key, as Stripe has it and as OpenAPI names it
(``deepObject``): an ordinary form for clients that have query parameters and nothing else, and
the very words by which lists are filtered.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

MOST_KEYS: Final = 16
LONGEST_NAME: Final = 64
LONGEST_VALUE: Final = 512
NOTED: Final = "Notes of the caller's own, text by name, told back wherever it is told."
EXAMPLE: Final = {"order": "4711"}

_IN_QUERY: Final = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_HOW: Final = "Write metadata[key]=value, once for each key"


def _without_null(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("null_character", "Leave out the character U+0000")
    return text


_Text = Annotated[str, AfterValidator(_without_null)]

#: Text by name. Numbers and the like are refused: nobody then has to guess how they are written.
Metadata = Annotated[
    dict[
        Annotated[_Text, Field(min_length=1, max_length=LONGEST_NAME)],
        Annotated[_Text, Field(max_length=LONGEST_VALUE)],
    ],
    Field(max_length=MOST_KEYS),
]
_METADATA: Final[TypeAdapter[dict[str, str]]] = TypeAdapter(Metadata)


def metadata_query(description: str) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that takes metadata in its query."""
    parameter = {
        "name": "metadata",
        "in": "query",
        "style": "deepObject",
        "explode": True,
        "description": f"{description} {_HOW}.",
        "schema": _METADATA.json_schema(),
        "example": EXAMPLE,
    }
    return {"parameters": [parameter]}


async def _in_query(request: Request) -> dict[str, str]:
    return read_metadata(request.query_params.multi_items())


#: What the query has under ``metadata[…]``; a 422 where it is not as it must be.
QueryMetadata = Annotated[dict[str, str], Depends(_in_query)]


def read_metadata(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The metadata in a query's names and values.

    Raises:
        RequestValidationError: it is not as it must be.
    """
    found: dict[str, str] = {}
    for name, value in query:
        if name.partition("[")[0] != "metadata":
            continue
        named = _IN_QUERY.fullmatch(name)
        if named is None:
            raise _refused(name, _HOW)
        if named[1] in found:
            raise _refused(name, "Give each key once")
        found[named[1]] = value
    try:
        return _METADATA.validate_python(found)
    except ValidationError as exc:
        wrong = exc.errors(include_input=False, include_url=False, include_context=False)
        raise RequestValidationError(
            [{**e, "loc": ("query", _name(e["loc"]))} for e in wrong]
        ) from exc


def _name(loc: Sequence[int | str]) -> str:
    return f"metadata[{loc[0]}]" if loc else "metadata"


def _refused(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("query", name), "msg": message, "type": "metadata"}])
