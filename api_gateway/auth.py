"""Who asks: the origin that an API key belongs to. No key is ever logged."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.parts import Wired
from generations.errors import Unauthorized
from generations.logs import logger

log = logger(__name__)

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="api_key",
    description="An API key made by `darkroom keys create ORIGIN`.",
)


async def origin_of_caller(
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], parts: Wired
) -> str:
    """The name of the origin that asks.

    Raises:
        Unauthorized: there is no key, or it belongs to nobody.
    """
    if sent is None:
        log.info("request.unauthorized", key="missing")
        raise Unauthorized
    try:
        return await parts.origins.origin_of(sent.credentials.strip())
    except Unauthorized:
        log.info("request.unauthorized", key="unknown")
        raise


Caller = Annotated[str, Depends(origin_of_caller)]
