"""Spans: what was done for a generation, for whoever collects traces (OTLP).

Without a collector nothing that sends them is imported, and a span is nothing: see ``OFF``.
"""

from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self

from generations.logs import logger
from generations.settings import StoreSettings
from generations.trace import Trace

log = logger(__name__)

Kind = Literal["server", "client"]


class Span(Protocol):
    """Something that is done, from the beginning of a with-block to its end.

    An exception that ends it is noted by its class alone: its message may quote a prompt.
    """

    def __enter__(self) -> Self:
        """Begin it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and have it collected."""

    def handed_on(self, parent: Trace | None) -> Trace | None:
        """The trace for whatever follows from it; the parent, where nothing is collected."""

    def note(self, **facts: str | int) -> None:
        """Note facts about it; never a prompt, an URL or a secret."""

    def collect(self, wanted: bool) -> None:  # It is what is said.
        """Have it collected only if any of what is said so is true."""


class Tracer(Protocol):
    """What begins spans."""

    def span(self, name: str, parent: Trace | None, kind: Kind, facts: dict[str, Any]) -> Span:
        """A span that is not begun yet."""

    def close(self) -> None:
        """Send what is still to be sent, for a moment at most."""


class _Off:
    """The span of whoever collects none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def handed_on(self, parent: Trace | None) -> Trace | None:
        return parent

    def note(self, **facts: str | int) -> None:
        pass

    def collect(self, wanted: bool) -> None:
        pass


OFF: Final = _Off()

_tracer: Tracer | None = None


def collect_traces(program: str, settings: StoreSettings) -> None:
    """Have this process's spans collected, if the settings name a collector."""
    global _tracer  # noqa: PLW0603  # Once, at the program's start.
    if not settings.collects_traces or _tracer is not None:
        return
    try:
        from generations.otlp import OtlpTracer
    except ImportError:
        log.warning("traces.not_installed", hint="pip install 'darkroom[otel]'")
        return
    _tracer = OtlpTracer(program)


def end_traces() -> None:
    """Send what is still to be sent; nothing is collected from now on."""
    global _tracer  # As above.
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.close()


def span(name: str, parent: Trace | None, kind: Kind, **facts: str | int) -> Span:
    """A span to be used as a context manager; ``facts`` are its attributes."""
    return OFF if _tracer is None else _tracer.span(name, parent, kind, facts)
