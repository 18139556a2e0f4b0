"""A RunComfy that answers what a test has it say, over raw sockets."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from tests.integration.raw_server import Behaviour, RawServer, close


class PlayedRunComfy:
    """Answers by what a request's path ends with; without an answer, it behaves badly."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, Any]] = {}
        self.otherwise: Behaviour = close
        self.server: RawServer | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.server is not None
        path = self.server.requests[-1].split(b" ")[1].decode()
        what = path.rpartition("/")[2].partition("?")[0]
        if what not in self.answers:
            await self.otherwise(reader, writer)
            return
        status, said = self.answers[what]
        body = json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def will_answer(self, answers: Mapping[str, tuple[str, Any]]) -> None:
        self.answers = dict(answers)

    @property
    def asked(self) -> list[str]:
        assert self.server is not None
        return [request.split(b" ")[1].decode() for request in self.server.requests]
