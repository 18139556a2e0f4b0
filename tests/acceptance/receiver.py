"""A receiver of callbacks: a real HTTP server in a thread, told per endpoint what to answer.

It checks every signature with the ``standardwebhooks`` library, which knows nothing of ours.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from standardwebhooks import Webhook, WebhookVerificationError

from tests.acceptance.waiting import PATIENCE, eventually

#: A status, or a status with headers.
Answer = int | tuple[int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Callback:
    """One POST that arrived."""

    event_id: str
    timestamp: str
    is_verified: bool
    body: dict[str, Any]
    #: As they came: names in lower case, and every byte.
    headers: dict[str, str]
    raw: bytes

    @property
    def traceparent(self) -> str:
        return self.headers.get("traceparent", "")

    @property
    def tracestate(self) -> str:
        return self.headers.get("tracestate", "")

    @property
    def event(self) -> str:
        return str(self.body["type"])

    @property
    def told(self) -> dict[str, Any]:
        """The event's data."""
        return dict(self.body["data"])


@dataclass(slots=True)
class Endpoint:
    """One URL of the receiver: what came, and what it answers."""

    url: str
    secret: str
    callbacks: list[Callback] = field(default_factory=list)
    #: The next answers; 200 once these are used up.
    answers: deque[Answer] = field(default_factory=deque)
    #: Called with each callback that came, before it is answered.
    before_answer: Callable[[], object] = lambda: None

    def wait_for(self, count: int = 1, *, seconds: float = PATIENCE) -> list[Callback]:
        """The callbacks, once so many came; all of them must be verified."""
        what = f"{count} callbacks reach {self.url}"
        eventually(lambda: len(self.callbacks) >= count, what, seconds=seconds)
        assert all(callback.is_verified for callback in self.callbacks)
        return list(self.callbacks)

    def wait_for_event(self, event: str, *, seconds: float = PATIENCE) -> Callback:
        """The first callback of an event; it must be verified."""

        def look() -> Callback | None:
            return next((c for c in self.callbacks if c.event == event), None)

        callback = eventually(look, f"{event} reaches {self.url}", seconds=seconds)
        assert callback.is_verified
        return callback


class Receiver:
    """The server, and its endpoints by path."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def endpoint(self, secret: str) -> Endpoint:
        """A new endpoint of an origin with this webhook secret."""
        # The query stands for a secret of the origin's own that no log may show.
        path = f"/callbacks/{uuid4().hex}"
        port = self._server.server_address[1]
        url = f"http://127.0.0.1:{port}{path}?signature=SIGNED"
        self._endpoints[path] = Endpoint(url=url, secret=secret)
        return self._endpoints[path]

    def close(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Note what came, and say what to answer."""
        endpoint = self._endpoints.get(path.partition("?")[0])
        if endpoint is None:
            return 404
        callback = Callback(
            event_id=headers.get("webhook-id", ""),
            timestamp=headers.get("webhook-timestamp", ""),
            is_verified=_is_verified(endpoint.secret, body, headers),
            body=json.loads(body),
            headers=headers,
            raw=body,
        )
        endpoint.callbacks.append(callback)
        endpoint.before_answer()
        return endpoint.answers.popleft() if endpoint.answers else 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.receive(self.path, headers, body)
                status, answered = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # The base class's name.
                """Say nothing: what came is in ``callbacks``."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where the sender was killed while it waited for its answer."""


def _is_verified(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
