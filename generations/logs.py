"""Logs: a constant dotted event and fields, as JSON lines, or in colours on a terminal.

``warning`` means unexpected but handled; ``error`` means that somebody must look.
Never secrets, prompts, or the query of a signed URL.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor

#: What a task works on, asked for where a line is written: most tasks write none.
_subject: ContextVar[Callable[[], Mapping[str, str]] | None] = ContextVar("subject", default=None)


def note_subject(say: Callable[[], Mapping[str, str]]) -> None:
    """Put what this says on every line of the asyncio task that calls it, to its end."""
    _subject.set(say)


def _add_subject(_: Any, __: str, line: EventDict) -> EventDict:
    say = _subject.get()
    return line if say is None else {**say(), **line}


#: What every line has, ours and the libraries'.
_COMMON: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    _add_subject,
    structlog.processors.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(level: str = "INFO") -> None:
    """Send every log line of this process, ours and the libraries', to stderr in one form."""
    level = level.upper()
    structlog.configure(
        processors=[*_COMMON, *_last_steps()],
        # Ours do not pass through the standard library's logging, which costs more than the
        # rest of a line.
        logger_factory=_Stderr,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_COMMON,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last_steps()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # httpx names each URL that it calls, and an endpoint's URL may carry a signature.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _last_steps() -> list[Processor]:
    if sys.stderr.isatty():
        # Without the values of variables, which may be prompts or secrets.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_dump),
    ]


def _dump(line: Any, **options: Any) -> str:
    """As JSON; what JSON does not know, as structlog would have it."""
    return to_json(line, fallback=options.get("default")).decode()


class _Stderr(structlog.PrintLogger):
    """Writes lines to stderr, and knows its name."""

    def __init__(self, name: str) -> None:
        super().__init__(sys.stderr)
        self.name = name


def logger(name: str) -> Any:
    """A logger; its methods take a constant event and fields."""
    return structlog.get_logger(name)
