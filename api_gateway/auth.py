"""Who asks: the origin that an API key belongs to, if the key may. No key is ever logged.

One rule says what a key needs, so that no route can forget it: reading needs ``read``,
everything else ``submit``.
"""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from api_gateway.parts import KeyUses, Wired
from api_gateway.queries import check_query
from generations.errors import Forbidden, Unauthorized
from generations.logs import logger
from generations.model import ApiKey, Scope

log = logger(__name__)

#: How the scheme is called in the API's description.
SCHEME: Final = "api_key"
_READING: Final = frozenset({"GET", "HEAD"})

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name=SCHEME,
    description="An API key made by `darkroom keys create ORIGIN`.",
)


def scope_needed(method: str) -> Scope:
    """What a key needs for a method of any route."""
    return Scope.READ if method.upper() in _READING else Scope.SUBMIT


async def _key_of_caller(
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    parts: Wired,
    uses: KeyUses,
) -> ApiKey:
    if sent is None:
        log.info("request.unauthorized", key="missing")
        raise Unauthorized
    api_key = sent.credentials.strip()
    try:
        known = await parts.origins.find_key(api_key)
    except Unauthorized:
        log.info("request.unauthorized", key="unknown")
        raise
    bind_contextvars(key_id=known.id, origin=known.origin)
    uses.note(known.id, api_key)
    return known


async def origin_of_caller(
    request: Request, key: Annotated[ApiKey, Depends(_key_of_caller)]
) -> str:
    """The name of the origin that asks.

    Raises:
        Unauthorized: there is no key, or it belongs to nobody.
        Forbidden: the key lacks the scope.
        RequestValidationError: the query has a name that the route does not know.
    """
    needed = scope_needed(request.method)
    if not key.may(needed):
        log.info("request.forbidden", needed=needed)
        raise Forbidden(
            f"This API key does not have the scope '{needed}', which the route needs; "
            "use a key that has it."
        )
    # Here, because nobody without a key is told what a route takes.
    check_query(request)
    return key.origin


Caller = Annotated[str, Depends(origin_of_caller)]
