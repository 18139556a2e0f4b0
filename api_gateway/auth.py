"""Who asks: the origin that an API key belongs to, if the key may. No key is ever logged.

One rule says what a key needs, so that no route can forget it: reading needs ``read``,
everything else ``submit``.
"""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from structlog.contextvars import bind_contextvars

from api_gateway.parts import parts_of, uses_of
from api_gateway.queries import check_query
from generations.errors import Forbidden, Unauthorized
from generations.logs import logger
from generations.model import ApiKey, Scope

log = logger(__name__)

#: How the scheme is called in the API's description.
SCHEME: Final = "api_key"
_READING: Final = frozenset({"GET", "HEAD"})


def scope_needed(method: str) -> Scope:
    """What a key needs for a method of any route."""
    return Scope.READ if method.upper() in _READING else Scope.SUBMIT


async def _known_key(request: Request) -> ApiKey:
    scheme, api_key = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not api_key:
        log.info("request.unauthorized", key="missing")
        raise Unauthorized
    api_key = api_key.strip()
    try:
        known = await parts_of(request).origins.find_key(api_key)
    except Unauthorized:
        log.info("request.unauthorized", key="unknown")
        raise
    bind_contextvars(key_id=known.id, origin=known.origin)
    uses_of(request).note(known.id, api_key)
    return known


async def origin_of_caller(request: Request) -> str:
    """The name of the origin that asks.

    Raises:
        Unauthorized: there is no key, or it belongs to nobody.
        Forbidden: the key lacks the scope.
        RequestValidationError: the query has a name that the route does not know.
    """
    key = await _known_key(request)
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


class _Keys(SecurityBase):
    """An API key as the API's description has it, and the origin that it belongs to."""

    def __init__(self) -> None:
        self.scheme_name = SCHEME
        self.model = HTTPBearer(description="An API key made by `darkroom keys create ORIGIN`.")

    async def __call__(self, request: Request) -> str:
        return await origin_of_caller(request)


#: For routes that only need to know that somebody asks who may.
KNOWN: Final = Depends(_Keys())
#: The origin that asks.
Caller = Annotated[str, KNOWN]
