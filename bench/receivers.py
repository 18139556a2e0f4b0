"""Stub receivers: they note when each callback arrives, and answer at once, or never."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

from ops.local.settings import HOST

TAKEN: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
LENGTH: Final = b"\r\ncontent-length:"
END: Final = b"\r\n\r\n"


class Receiver(asyncio.Protocol):
    """One connection of a worker; it reads what it must, so that it is not what is measured."""

    def __init__(self, arrivals: dict[str, float], *, hangs: bool) -> None:
        self._arrivals = arrivals
        self._hangs = hangs
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Where answers go."""
        # uvloop's only resembles one.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Note each request as soon as it is whole."""
        self._read += data
        head, end, body = self._read.partition(END)
        if not end:
            return
        lower = head.lower() + b"\r\n"
        length = int(lower.partition(LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._read = body[length:]
        path = head.split(b" ", 2)[1].decode()
        self._arrivals.setdefault(path.strip("/"), time.time())
        if not self._hangs:
            self._transport.write(TAKEN)


@asynccontextmanager
async def receiving(
    count: int, arrivals: dict[str, float], *, hangs: bool = False
) -> AsyncIterator[list[str]]:
    """So many servers on ports of their own; their URLs."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: Receiver(arrivals, hangs=hangs), HOST, 0)
        for _ in range(count)
    ]
    try:
        yield [f"http://{HOST}:{server.sockets[0].getsockname()[1]}" for server in servers]
    finally:
        for server in servers:
            server.close()
