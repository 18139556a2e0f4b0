"""Browsers: pages of other origins (in a browser's sense) may call only where they are listed."""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

#: What a page may send beside what every page may.
SENT: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Prefer",
    "X-Request-Id",
)
#: What it may read beside what every page may.
READ: Final = (
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
)


def allow_browsers(app: FastAPI, pages: Sequence[str]) -> None:
    """Let these pages call. A key is sent in a header, so no cookies are allowed."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=pages,
        allow_methods=("GET", "POST"),
        allow_headers=SENT,
        expose_headers=READ,
    )
