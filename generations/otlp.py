"""Spans as OpenTelemetry has them, sent by OTLP. The only module that imports it, when asked to.

Its own variables say where to, what with and how many: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS,
OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME and so on.
"""

import threading
from types import TracebackType
from typing import Any, Final, Self

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from generations.trace import Trace, read_trace
from generations.traces import Kind, Span
from generations.version import own_version

#: Seconds that the end of a program waits for a collector.
PATIENCE: Final = 3.0

_KINDS: Final = {"server": api.SpanKind.SERVER, "client": api.SpanKind.CLIENT}
_headers: Final = TraceContextTextMapPropagator()


class OtlpTracer:
    """Begins spans, and sends those that have ended in the background."""

    def __init__(self, program: str) -> None:
        ours = Resource({"service.name": f"darkroom-{program}", "service.version": own_version()})
        self._provider = TracerProvider(
            resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("darkroom")

    def span(self, name: str, parent: Trace | None, kind: Kind, facts: dict[str, Any]) -> Span:
        """A span that is not begun yet."""
        return _OtlpSpan(self._tracer, name, parent, kind, facts)

    def close(self) -> None:
        """Send what is still to be sent, for a moment at most."""
        # A collector that is away keeps its sender for half a minute; the program has none.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(PATIENCE)


class _OtlpSpan:
    def __init__(
        self,
        tracer: api.Tracer,
        name: str,
        parent: Trace | None,
        kind: Kind,
        facts: dict[str, Any],
    ) -> None:
        self._span = tracer.start_span(
            name,
            context=_headers.extract(parent.headers) if parent else Context(),
            kind=_KINDS[kind],
            attributes={f"darkroom.{fact}": value for fact, value in facts.items()},
        )
        #: None until somebody says.
        self._is_wanted: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._span.set_attribute("error.type", kind.__qualname__)
            self._span.set_status(api.StatusCode.ERROR)
        if self._is_wanted is not False:
            self._span.end()

    def handed_on(self, parent: Trace | None) -> Trace | None:
        carrier: dict[str, str] = {}
        _headers.inject(carrier, api.set_span_in_context(self._span))
        told = [
            [carrier[name]] if name in carrier else [] for name in ("traceparent", "tracestate")
        ]
        return read_trace(*told) or parent

    def note(self, **facts: str | int) -> None:
        for fact, value in facts.items():
            self._span.set_attribute(f"darkroom.{fact}", value)

    def collect(self, wanted: bool) -> None:
        self._is_wanted = wanted or bool(self._is_wanted)
