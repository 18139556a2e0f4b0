"""Server-sent events as a client reads them, by the rules of the HTML standard."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Event:
    """One event that was dispatched."""

    id: str
    name: str
    body: dict[str, Any]


class Parser:
    """Lines in, events out; comments are counted."""

    def __init__(self) -> None:
        self.comments = 0
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> Event | None:
        """The event that an empty line ends, if it ends one."""
        if line.startswith(":"):
            self.comments += 1
        elif line:
            name, _, value = line.partition(": ")
            self._fields[name] = value
        elif "data" in self._fields:
            fields, self._fields = self._fields, {}
            return Event(fields["id"], fields["event"], json.loads(fields["data"]))
        return None


async def events_of(answer: httpx.Response) -> AsyncIterator[Event]:
    """The events of a stream as they come, until it ends."""
    parser = Parser()
    async for line in answer.aiter_lines():
        if event := parser.take(line):
            yield event


def events_in(lines: Iterable[str]) -> Iterator[Event]:
    """The same for a stream that is read without a loop."""
    parser = Parser()
    for line in lines:
        if event := parser.take(line):
            yield event
