"""A collector of traces: an HTTP server in a thread that takes OTLP as a real one does."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


@dataclass(frozen=True, slots=True)
class Span:
    """What is known of one span."""

    name: str
    program: str
    trace_id: str
    id: str
    parent: str
    has_failed: bool
    facts: dict[str, str]


class Collector:
    """The server, and what it was sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        #: As it came, for whoever looks for what should not be there.
        self.raw = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """What programs are given as their endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of_trace(self, trace_id: str) -> list[Span]:
        """The spans of one trace, so far."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def receive(self, body: bytes) -> None:
        """Note what came."""
        self.raw += body
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            program = _facts(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        name=span.name,
                        program=program,
                        trace_id=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        has_failed=span.status.code == 2,
                        facts=_facts(span.attributes),
                    )
                    for span in scope.spans
                ]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.receive(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # The base class's name.
                """Say nothing: what came is in ``spans``."""

        return Handler


def _facts(attributes: "list[KeyValue]") -> dict[str, str]:
    return {one.key: _text(one.value) for one in attributes}


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind else ""
