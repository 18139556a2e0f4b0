"""An HTTP answer as the shims hand it on, and the wish that both sides may add. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, as far as it was read. Ask for header names in lower case."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


def retry_after(answer: Answer) -> timedelta | None:
    """How long the other side asked to be left alone: seconds, or until a date."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return timedelta(seconds=int(text[:9]))
    try:
        until = parsedate_to_datetime(text)
        # Against their own clock: ours may differ.
        sent = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return max(_in_utc(until) - _in_utc(sent), timedelta())


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
