"""The id of a request: the caller's own where it sends one, on every answer and log line."""

import re
import secrets
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

HEADER: Final = "X-Request-Id"
#: What may stand on a log line as it came: visible ASCII, and not much of it.
_SANE: Final = re.compile(r"[\x21-\x7e]{1,128}")


class RequestIds:
    """Names each request, and has browsers take no answer for what it is not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(scope)
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        added = [
            (HEADER.lower().encode(), request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, naming)


def _id_of(scope: Scope) -> str:
    sent = Headers(scope=scope).getlist(HEADER)
    if len(sent) == 1 and _SANE.fullmatch(sent[0]):
        return sent[0]
    # No ULID, as other ids are: it need not sort, and every request pays for it.
    return f"req_{secrets.token_hex(12)}"
