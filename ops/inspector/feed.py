"""What happens, told to every listening page at once. In memory, in one event loop."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi.sse import ServerSentEvent

_BACKLOG: Final = 1000


class Feed:
    """Any number of listeners; each gets every event from when it began to listen."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[ServerSentEvent | None]] = set()
        self._closing = asyncio.Event()

    def tell(self, event: ServerSentEvent) -> None:
        for queue in self._queues:
            _put(queue, event)

    async def listen(self) -> AsyncIterator[ServerSentEvent]:
        """Ends when the feed closes, or for a listener that fell too far behind."""
        queue: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue(_BACKLOG)
        self._queues.add(queue)
        try:
            # Sent once the queue stands: whoever reads it will miss nothing after it.
            yield ServerSentEvent(comment="listening", retry=1000)
            while not self._closing.is_set() and (event := await queue.get()):
                yield event
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every listener, now and later: open streams would keep the server from stopping."""
        self._closing.set()
        for queue in self._queues:
            _end(queue)

    async def closed(self) -> None:
        await self._closing.wait()


def _put(queue: asyncio.Queue[ServerSentEvent | None], event: ServerSentEvent) -> None:
    try:
        queue.put_nowait(event)
    except asyncio.QueueFull:
        # A page that comes back reads the list anew, so nothing is lost to it.
        _end(queue)


def _end(queue: asyncio.Queue[ServerSentEvent | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
