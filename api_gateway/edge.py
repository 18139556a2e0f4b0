"""The program's edge, in plain ASGI: the body limit, and what no one else caught."""

import traceback

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.problems import answer, internal, problem_of
from generations.errors import BodyTooLarge
from generations.logs import logger

log = logger(__name__)


class BodyLimit:
    """Refuses bodies over the limit: announced ones at once, streamed ones when they pass it.

    Starlette's own limit answers in plain text, so it does not serve here.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._is_announced_too_large(scope):
            await problem_of(BodyTooLarge())(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _is_announced_too_large(self, scope: Scope) -> bool:
        length = Headers(scope=scope).get("content-length", "")
        return length.isdecimal() and int(length) > self._limit

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise BodyTooLarge
            return message

        return counting


class Edge:
    """Answers 500 for whatever nobody expected, and has it on the log once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_start)
        except Exception as exc:
            _log_unexpected(exc)
            if started:
                # Half an answer is out; only a broken connection can tell the caller.
                raise
            await answer(internal())(scope, receive, send)


def _log_unexpected(exc: BaseException) -> None:
    """Classes and lines of code, without messages: those may quote a prompt."""
    trace = []
    link: BaseException | None = exc
    while link is not None:
        trace.append(type(link).__qualname__)
        trace.extend(line.strip() for line in traceback.format_tb(link.__traceback__))
        link = link.__cause__ or link.__context__
    log.error("request.broke", error=type(exc).__qualname__, trace=trace)
