"""Names in queries: one that is misspelt must not be passed over in silence.

A webhook that is never called or a filter that does not filter is found out late. On the
native routes every unknown name is refused. On RunComfy's routes a client may send what only
RunComfy knows, and must not notice a difference: there a name is refused only if it is next
to one of ours, as ``webook`` is to ``webhook``.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError

#: The tag of the routes that are RunComfy's.
RUNCOMFY: Final = "RunComfy"
#: How alike a name is to the one that was meant, where it is a misspelling: from 0 to 1.
MISSPELT: Final = 0.8
#: How alike it is at least where a hint may still help.
ALIKE: Final = 0.6


def check_query(request: Request) -> None:
    """Refuse a query with a name that the route does not know.

    Raises:
        RequestValidationError: names each of them, and the one that may have been meant.
    """
    if not request.scope["query_string"]:
        return
    operation = _operation(request)
    is_runcomfy = RUNCOMFY in operation.get("tags", ())
    known = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
    errors = [
        {
            "loc": ("query", name),
            "msg": _said(name, known, is_runcomfy=is_runcomfy),
            "type": "query",
        }
        for name in dict.fromkeys(request.query_params.keys())
        if not _is_known(name, known)
    ]
    if wrong := [error for error in errors if error["msg"]]:
        raise RequestValidationError(wrong)


def _operation(request: Request) -> Mapping[str, Any]:
    paths: Mapping[str, Any] = request.app.openapi()["paths"]
    operation: Mapping[str, Any] = paths[request.scope["route"].path_format][request.method.lower()]
    return operation


def _is_known(name: str, known: Mapping[str, Any]) -> bool:
    if name in known:
        return True
    # metadata[order]=4711, as OpenAPI names it.
    described = known.get(name.partition("[")[0], {})
    return bool(described.get("style") == "deepObject")


def _said(name: str, known: Mapping[str, Any], *, is_runcomfy: bool) -> str | None:
    likeness = MISSPELT if is_runcomfy else ALIKE
    meant = get_close_matches(name.lower(), known, n=1, cutoff=likeness)
    if meant:
        return f"There is no such parameter; did you mean {meant[0]}?"
    if is_runcomfy:
        return None
    names = ", ".join(sorted(known)) or "none"
    return f"There is no such parameter; the route takes {names}."
