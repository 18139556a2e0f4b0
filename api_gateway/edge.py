"""The program's edge, in plain ASGI: what no one else caught, and answers that go on."""

import traceback
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.problems import answer, internal
from generations.connection import hurrying
from generations.logs import logger

log = logger(__name__)

#: Seconds that the store may take for one thing that a caller waits for.
STORE_PATIENCE: Final = 4.5
#: The rest of an answer that a route has begun.
Begun = Callable[[Receive, Send], Awaitable[None]]
#: Where it stands in the scope.
BEGUN: Final = "darkroom.begun"


def go_on_with(begun: Begun, scope: Scope) -> None:
    """Have the edge send the rest of an answer, once all between it and the route has ended.

    What FastAPI keeps for a request, more than ten kilobytes, is much for thousands of answers
    that wait for something to tell.
    """
    scope[BEGUN] = begun


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
            with hurrying(STORE_PATIENCE):
                await self._serve(scope, receive, noting_start)
        except Exception as exc:
            _log_unexpected(exc)
            if started:
                # Half an answer is out; only a broken connection can tell the caller.
                raise
            await answer(internal())(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = set(scope)
        await self._app(scope, receive, send)
        if begun := scope.pop(BEGUN, None):
            # What was noted on the request on its way is not needed any more.
            for noted in scope.keys() - given:
                del scope[noted]
            await begun(receive, send)


def _log_unexpected(exc: BaseException) -> None:
    """Classes and lines of code, without messages: those may quote a prompt."""
    trace = []
    link: BaseException | None = exc
    while link is not None:
        trace.append(type(link).__qualname__)
        trace.extend(line.strip() for line in traceback.format_tb(link.__traceback__))
        link = link.__cause__ or link.__context__
    log.error("request.broke", error=type(exc).__qualname__, trace=trace)
