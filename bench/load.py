"""A load generator over raw sockets, so cheap that it is not what is measured."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

#: The next request to send, head and body.
Requests = Callable[[], bytes]

PATIENCE: Final = 30.0
LENGTH: Final = b"content-length:"


@dataclass(slots=True)
class Answers:
    """What came back."""

    #: Seconds, of every answer; from the instant when its request was due.
    waits: list[float] = field(default_factory=list)
    refused: int = 0

    def note(self, wait: float, status: bytes) -> None:
        """One answer more."""
        self.waits.append(wait)
        self.refused += not status.startswith(b"2")


class Connection:
    """One connection that is kept, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> bytes:
        """Send a request and read the whole answer; its status, as three digits."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[len(LENGTH) :]) for line in lines if line.startswith(LENGTH))
        await self._reader.readexactly(length)
        return head[9:12]

    async def close(self) -> None:
        """Close it."""
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections to a server."""
    parts = urlsplit(url)
    made = [
        Connection(*await asyncio.open_connection(parts.hostname, parts.port)) for _ in range(count)
    ]
    try:
        yield made
    finally:
        for connection in made:
            await connection.close()


async def as_fast_as_answered(
    pool: list[Connection], requests: Requests, *, seconds: float
) -> Answers:
    """On every connection the next request as soon as the last one is answered."""
    answers = Answers()
    end = time.perf_counter() + seconds

    async def go_on(connection: Connection) -> None:
        while (begun := time.perf_counter()) < end:
            status = await connection.ask(requests())
            answers.note(time.perf_counter() - begun, status)

    await asyncio.gather(*map(go_on, pool))
    return answers


async def at_a_rate(
    pool: list[Connection], requests: Requests, *, rate: float, seconds: float
) -> Answers:
    """Requests due at even intervals, whatever became of those before.

    A wait counts from the instant when the request was due, so that one that had to wait for
    a free connection is not flattered.
    """
    answers = Answers()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in pool:
        free.put_nowait(connection)

    async def send(due: float) -> None:
        connection = await free.get()
        status = await connection.ask(requests())
        answers.note(time.perf_counter() - due, status)
        free.put_nowait(connection)

    begun = time.perf_counter()
    async with asyncio.timeout(seconds + PATIENCE), asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(due))
    return answers
