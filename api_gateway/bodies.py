"""Bodies as JSON objects that can be stored as they are and sent on: read strictly, or refused.

The models' schemas are not checked here.
"""

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, Final, NoReturn

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from generations.errors import InvalidBody

#: Levels of objects and arrays in each other, the body itself counted.
DEEPEST: Final = 64
TOO_DEEP: Final = f"The body may hold objects and arrays in each other {DEEPEST} levels deep."


async def read_object(request: Request) -> dict[str, Any]:
    """The body, whatever its Content-Type says: RunComfy's clients do not all set it.

    Raises:
        InvalidBody: it is no JSON object, or not one that can be stored and sent on.
    """
    try:
        body = await request.body()
    except ClientDisconnect as exc:
        raise InvalidBody("The body ended before it was complete; send it again.") from exc
    return parse_object(body)


#: The body as a route's argument.
JsonObject = Annotated[dict[str, Any], Depends(read_object)]


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        InvalidBody: there is none, or something in it would not survive being stored and sent.
    """
    try:
        value = json.loads(
            body.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as exc:
        raise InvalidBody("The body must be JSON in UTF-8; it holds other bytes.") from exc
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise InvalidBody(f"The body must be a JSON object; it cannot be read at {where}.") from exc
    except RecursionError as exc:
        raise InvalidBody(TOO_DEEP) from exc
    except ValueError as exc:
        # Python does not read integers of more than 4,300 digits.
        raise InvalidBody("The body holds a number with too many digits.") from exc
    if not isinstance(value, dict):
        raise InvalidBody
    _check(value)
    return value


def _check(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _contents(outer)]
        if not level:
            return
    raise InvalidBody(TOO_DEEP)


def _contents(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if isinstance(value, str):
        _check_text(value)
    return value if isinstance(value, list) else ()


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidBody("A text in the body holds half a surrogate pair, as \\ud83d.") from exc
    if "\0" in text:
        raise InvalidBody("A text in the body holds the character \\u0000; leave it out.")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidBody(f"The body holds {name}, which is no JSON; use a number or null.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidBody("The body holds a number that is too large.")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        # Readers disagree on which one counts, and a generation costs money.
        raise InvalidBody("An object in the body has the same name twice; give each name once.")
    return read
