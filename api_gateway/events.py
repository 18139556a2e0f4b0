"""Server-sent events: a generation's events as they happen, each once, resumable by its number.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_gateway.edge import go_on_with
from api_gateway.following import Follower, following
from api_gateway.parts import Parts
from generations.errors import GenerationNotFound
from generations.model import Generation
from generations.presentation import event_body

MEDIA_TYPE: Final = "text/event-stream"
#: Seconds after which a comment shows that the connection stands.
HEARTBEAT: Final = 15.0
COMMENT: Final = ":\n\n"
HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": f"{MEDIA_TYPE}; charset=utf-8",
    "Cache-Control": "no-store",
    # nginx would keep events back until it has a buffer full of them.
    "X-Accel-Buffering": "no",
}


class EventStream(Response):
    """The events of a generation after a number, until its last.

    An early end (the gateway stops) is a clean one: the caller resumes at another gateway.
    """

    def __init__(self, generation_id: str, parts: Parts, *, after: int) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(HEADERS)
        self._id = generation_id
        self._parts = parts
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin the answer, as ASGI has it; the rest is the edge's to go on with."""
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        go_on_with(self._body, scope)

    async def _body(self, receive: Receive, send: Send) -> None:
        async with following(self._id, self._parts, receive) as follower:
            async for text in texts(follower, self._after):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        if not follower.is_gone:
            await send({"type": "http.response.body", "body": b""})


async def texts(
    follower: Follower, sent: int, *, heartbeat: float = HEARTBEAT
) -> AsyncIterator[str]:
    """What is sent for a follower, as it comes; a comment where nothing happens for long."""
    while not follower.is_over:
        try:
            found = await follower.look(seconds=heartbeat)
        except GenerationNotFound:
            return
        if found is None:
            yield COMMENT
            continue
        reached = range(sent + 1, len(found.timeline) + 1)
        yield "".join(event_text(found, sequence) for sequence in reached) or COMMENT
        sent = max(sent, len(found.timeline))
        if found.is_finished:
            return
        del found  # See Follower: nothing large is kept while nothing happens.


def event_text(generation: Generation, sequence: int) -> str:
    """One event as it is sent."""
    body = event_body(generation, sequence)
    # In ASCII: some clients take U+2028 and its like, which JSON leaves as they are, for the
    # end of a line.
    data = json.dumps(body, separators=(",", ":"))
    return f"id: {sequence}\nevent: {body['type']}\ndata: {data}\n\n"
