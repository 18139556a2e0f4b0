"""An HTTP answer as the shims hand it on, and what both sides may wish or note of it. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

#: What is kept of an endpoint's answer in the record of an attempt.
NOTED_HEADERS: Final = 32
NOTED_HEADER_LENGTH: Final = 256
NOTED_BODY: Final = 4096
#: The endpoint's secret, and nobody's business here.
LEFT_OUT: Final = {"set-cookie": "(left out)"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, as far as it was read. Ask for header names in lower case."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes
    #: The IP address that gave it; None where it is not known.
    address: str | None = None
    #: How often it was tried to connect for it.
    dials: int = 1


def noted_headers(answer: Answer) -> dict[str, str]:
    """As many of the answer's headers as are kept, and as much of each."""
    return {
        name[:NOTED_HEADER_LENGTH]: LEFT_OUT.get(name, value[:NOTED_HEADER_LENGTH])
        for name, value in islice(answer.headers.items(), NOTED_HEADERS)
    }


def noted_body(answer: Answer) -> str:
    """As much of the answer's body as is kept; what is no UTF-8 is replaced."""
    return answer.body[:NOTED_BODY].decode(errors="replace")


def retry_after(answer: Answer, *, now: datetime | None = None) -> timedelta | None:
    """How long the other side asked to be left alone: seconds, or until a date.

    A date is read against their own clock, since ours may differ; against ``now`` where they do
    not tell theirs.
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return timedelta(seconds=int(text[:9]))
    until, sent = _date(text), _date(answer.headers.get("date", "")) or now
    return max(until - sent, timedelta()) if until and sent else None


def _date(text: str) -> datetime | None:
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
