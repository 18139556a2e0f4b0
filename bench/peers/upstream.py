"""An upstream that is never the bottleneck: RunComfy's paths as a raw protocol on uvloop.

It serves whoever is measured, in a process of its own whose CPU is not counted, and takes their
callbacks too, so that "RunComfy's end" and "the callback's arrival" are instants of one clock.
A request whose id it did not give is in progress for ever, or until the instant that its id
names (``until-1790000000.5-…``). Started by
``python -m bench.peers.upstream --port 9000``; what it saw is at ``/_bench/…``.
"""

import argparse
import asyncio
import json
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, cast

import uvloop

END_OF_HEAD: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
#: Our ids, as they come back in the output that a callback tells.
OUTPUT: Final = re.compile(rb"outputs/(r\d+)\.mp4")


@dataclass(slots=True)
class Request:
    """One generation as this upstream has it."""

    ends_at: float
    polls: int = 0


@dataclass(slots=True)
class Plan:
    """When a generation is done: at its so many-th poll, or after a while."""

    polls: int = 0
    shortest: float = 0.0
    longest: float = 0.0

    def is_done(self, request: Request) -> bool:
        if self.polls:
            return request.polls >= self.polls
        return time.time() >= request.ends_at

    def new(self) -> Request:
        return Request(time.time() + random.uniform(self.shortest, self.longest))


@dataclass(slots=True)
class Seen:
    """All that it was asked."""

    plan: Plan = field(default_factory=Plan)
    counts: Counter[str] = field(default_factory=Counter)
    requests: dict[str, Request] = field(default_factory=dict)
    #: By request: seconds from its end to its callback's arrival, and how often it was polled.
    told: dict[str, tuple[float, int]] = field(default_factory=dict)
    #: The callbacks, head and body, to be verified when nothing is measured any more.
    callbacks: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: bytes, path: str, head: bytes, body: bytes) -> Any:
        """The JSON that answers a request."""
        if path.startswith("/_bench/"):
            return self._tell(path.removeprefix("/_bench/"), body)
        if path.startswith("/callbacks"):
            return self._take_callback(head, body)
        *_, request_id, last = path.rsplit("/", 2)
        if method == b"POST" and last != "cancel":
            return self._accept()
        self.counts["polls" if last == "status" else "others"] += 1
        return self._status(request_id) if last == "status" else self._result(request_id)

    def _accept(self) -> dict[str, str]:
        request_id = f"r{self.counts['submissions']}"
        self.counts["submissions"] += 1
        self.requests[request_id] = self.plan.new()
        return {"request_id": request_id}

    def _status(self, request_id: str) -> dict[str, str]:
        request = self.requests.get(request_id)
        if request is None:
            _, _, until = request_id.rpartition("until-")
            is_over = until != request_id and time.time() >= float(until.partition("-")[0])
            word = "completed" if is_over else "in_progress"
            return {"request_id": request_id, "status": word}
        request.polls += 1
        if not self.plan.is_done(request):
            return {"request_id": request_id, "status": "in_progress"}
        request.ends_at = min(request.ends_at, time.time()) if self.plan.shortest else time.time()
        return {"request_id": request_id, "status": "completed"}

    def _result(self, request_id: str) -> dict[str, Any]:
        output = {"video": f"https://cdn.example/outputs/{request_id}.mp4"}
        return {"request_id": request_id, "status": "succeeded", "output": output, "cost": 0.1}

    def _take_callback(self, head: bytes, body: bytes) -> dict[str, str]:
        self.counts["callbacks"] += 1
        self.callbacks.append((head.decode("latin-1"), body.decode()))
        if found := OUTPUT.search(body):
            request_id = found[1].decode()
            request = self.requests[request_id]
            self.told.setdefault(request_id, (time.time() - request.ends_at, request.polls))
        return {}

    def _tell(self, what: str, body: bytes) -> Any:
        match what:
            case "plan":
                self.plan, self.told, self.callbacks = Plan(**json.loads(body)), {}, []
            case "told":
                return list(self.told.values())
            case "callbacks":
                return self.callbacks
            case _:
                return self.counts
        return {}


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests one after the other."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while END_OF_HEAD in self._buffer:
            head, _, rest = self._buffer.partition(END_OF_HEAD)
            length = LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self._buffer = rest[size:]
            method, target, _ = head.split(b" ", 2)
            path = target.decode().partition("?")[0]
            body = json.dumps(self._seen.answer(method, path, head, rest[:size])).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )


async def serve(host: str, port: int) -> None:
    """Until the process is told to end."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(seen), host, port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, required=True)
    asked = arguments.parse_args()
    uvloop.run(serve(asked.host, asked.port))
