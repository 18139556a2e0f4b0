"""Logs: a constant dotted event and fields, as JSON lines, or in colours on a terminal.

``warning`` means unexpected but handled; ``error`` means that somebody must look.
Never secrets, prompts, or the query of a signed URL.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import Processor


def configure_logs(level: str = "INFO") -> None:
    """Send every log line of this process, ours and the libraries', to stderr in one form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last_steps())
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # httpx names each URL that it calls, and an endpoint's URL may carry a signature.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _last_steps() -> list[Processor]:
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        # Without the values of variables, which may be prompts or secrets.
        plain = structlog.dev.plain_traceback
        return [drop_meta, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [
        drop_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]


def logger(name: str) -> Any:
    """A logger; its methods take a constant event and fields."""
    return structlog.stdlib.get_logger(name)
