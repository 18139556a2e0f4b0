"""The endpoints that operators register for origins: the default one, and extra headers.

They are kept in the origin's own record, which every attempt reads anyway.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis

from generations.connection import load_script, reaching_store
from generations.indexes import origin_key
from generations.records import dump_json

#: How many endpoints an origin may have.
MOST_ENDPOINTS: Final = 20
#: How many headers an endpoint may be sent, and how many characters they may have together.
MOST_HEADERS: Final = 20
LONGEST_HEADERS: Final = 4096

#: What the connection, the callback itself or tracing decides.
RESERVED: Final = frozenset(
    [
        "accept-encoding",
        "baggage",
        "connection",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "traceparent",
        "tracestate",
        "upgrade",
        "user-agent",
        "via",
    ]
)
RESERVED_BEGINNINGS: Final = ("content-", "proxy-", "sec-", "webhook-", "x-forwarded-")

#: RFC 9110: a token, and visible characters with spaces between them. No line can end in one.
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE: Final = re.compile(r"[!-~]([ \t!-~]*[!-~])?")


class EndpointSet(StrEnum):
    """What became of the wish to register an endpoint."""

    SET = "set"
    MISSING = "missing"  #: There is no such origin.
    FULL = "full"  #: It has as many endpoints as it may.


class EndpointStore:
    """The endpoints of all origins. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._set = load_script(redis, "set_endpoint")
        self._remove = load_script(redis, "remove_endpoint")

    @reaching_store
    async def set(
        self,
        origin: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        is_default: bool | None = None,
    ) -> EndpointSet:
        """Register an endpoint, or change it: None leaves headers, or the default, as they are."""
        written = "" if headers is None else dump_json(headers)
        default = "" if is_default is None else str(int(is_default))
        args: list[str | int] = [url, written, default, MOST_ENDPOINTS]
        return EndpointSet(await self._set(keys=[origin_key(origin)], args=args))

    @reaching_store
    async def remove(self, origin: str, url: str) -> bool:
        """Forget an endpoint and its headers; False where it was not registered."""
        return bool(await self._remove(keys=[origin_key(origin)], args=[url]))


def check_headers(headers: Mapping[str, str]) -> None:
    """Accept what an endpoint is to be sent beside what all are.

    Raises:
        ValueError: why not, in a sentence that repeats no value.
    """
    if len(headers) > MOST_HEADERS or _length(headers) > LONGEST_HEADERS:
        raise ValueError(
            f"An endpoint may have {MOST_HEADERS} headers, of {LONGEST_HEADERS} characters in all."
        )
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError("A header's name has letters, digits and signs such as '-' only.")
        if name.lower() in RESERVED or name.lower().startswith(RESERVED_BEGINNINGS):
            raise ValueError(f"{name} is set by Darkroom or by the connection itself.")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"The value of {name} may have visible ASCII and spaces only.")


def _length(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in headers.items())
