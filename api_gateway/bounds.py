"""What a request may take at most, in plain ASGI: its headers' bytes, its body's bytes and time.

How long headers may take to arrive is for the server to bound: granian's
``--http1-header-read-timeout``, 30 s. It closes idle connections after as long, so it is not
shorter than callers keep theirs.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.problems import problem_of
from generations.errors import BodyTooLarge, BodyTooSlow, HeadersTooLarge

#: Bytes of all names and values.
MOST_HEADER_BYTES: Final = 32 * 1024
MOST_HEADERS: Final = 100
#: No route reads a body that comes with these.
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Bounds:
    """Refuses what is over a bound: what is announced at once, what streams when it passes it.

    Starlette's own limit answers in plain text, so it does not serve here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: int,
        own_limits: Mapping[str, int] = MappingProxyType({}),
        patience: timedelta = timedelta.max,
    ) -> None:
        """Limits are bodies' in bytes; ``own_limits`` has those of the paths that differ.

        ``patience`` is how long a body may take to arrive.
        """
        self._app = app
        self._limit = limit
        self._own_limits = own_limits
        self._patience = patience.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._own_limits.get(scope["path"], self._limit)
        if _is_large(scope["headers"]):
            await problem_of(HeadersTooLarge())(scope, receive, send)
        elif _announced(scope) > limit:
            await problem_of(BodyTooLarge())(scope, receive, send)
        else:
            has_body = scope["method"] not in _WITHOUT_BODY
            bounded = _bounded(receive, limit, self._patience) if has_body else receive
            await self._app(scope, bounded, send)


def _is_large(headers: list[tuple[bytes, bytes]]) -> bool:
    if len(headers) > MOST_HEADERS:
        return True
    return sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _bounded(receive: Receive, limit: int, patience: float) -> Receive:
    received, is_complete = 0, False
    give_up = asyncio.get_running_loop().time() + patience

    async def bounded() -> Message:
        nonlocal received, is_complete
        if is_complete:
            # Whoever asks now waits for the caller to go away, which may take as long as it
            # likes.
            return await receive()
        try:
            async with asyncio.timeout_at(give_up):
                message = await receive()
        except TimeoutError as exc:
            raise BodyTooSlow from exc
        received += len(message.get("body", b""))
        if received > limit:
            raise BodyTooLarge
        is_complete = not message.get("more_body", False)
        return message

    return bounded
