"""How long the other side asked to be left alone, and what is kept of its answer."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW, an_answer, http_date
from worker.answers import Answer, noted_body, noted_headers, retry_after

LATER = NOW + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1", 1), ("120", 120), (" 30 ", 30), ("007", 7), ("9" * 40, 999_999_999)],
)
def test_seconds_are_taken_as_they_are(text: str, seconds: int) -> None:
    assert retry_after(an_answer(429, retry_after=text)) == timedelta(seconds=seconds)


def test_a_date_counts_from_the_senders_own_clock() -> None:
    answer = an_answer(503, retry_after=http_date(LATER), date=http_date(NOW))
    assert retry_after(answer) == timedelta(minutes=2)


def test_a_date_without_a_zone_is_in_utc() -> None:
    answer = an_answer(503, retry_after="Sun, 22 Nov 2026 12:02:00", date=http_date(NOW))
    assert retry_after(answer) == timedelta(minutes=2)


def test_a_date_gone_by_means_now() -> None:
    answer = an_answer(503, retry_after=http_date(NOW), date=http_date(LATER))
    assert retry_after(answer) == timedelta()


def test_a_date_without_the_senders_own_says_nothing() -> None:
    assert retry_after(an_answer(503, retry_after=http_date(LATER))) is None
    assert retry_after(an_answer(503, retry_after=http_date(LATER), date="today")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "1.5",
        "1e3",
        "²",
        "Sun, 99 Nov 2026 12:00:00 GMT",
        f"Sun, 22 Nov {'9' * 30} 12:00:00 GMT",
        f"Sun, 22 Nov 2026 12:00:00 +{'9' * 30}",
    ],
)
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert retry_after(an_answer(429, retry_after=text, date=http_date(NOW))) is None


def test_without_the_header_nothing_is_asked_for() -> None:
    assert retry_after(an_answer(429)) is None


@given(text=st.text() | st.text(alphabet="0123456789 :,+-SunNovGMT"))
def test_no_text_breaks_the_reading(text: str) -> None:
    asked = retry_after(an_answer(429, retry_after=text, date=http_date(NOW)))
    assert asked is None or asked >= timedelta()


def test_of_the_headers_a_bounded_part_is_kept() -> None:
    answer = Answer(200, {f"x-{n}": "a" * 1000 for n in range(100)}, b"")
    assert noted_headers(answer) == {f"x-{n}": "a" * 256 for n in range(32)}


def test_a_cookie_is_kept_by_name_alone() -> None:
    noted = noted_headers(an_answer(set_cookie="session=secret", server="x"))
    assert noted == {"set-cookie": "(left out)", "server": "x"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        ("Bär 🐻".encode(), "Bär 🐻"),
        (b"\xff\x00", "\ufffd\x00"),
        (b"a" * 5000, "a" * 4096),
        ("a" * 4095 + "ä", "a" * 4095 + "\ufffd"),
    ],
)
def test_the_beginning_of_the_body_is_kept_as_text(body: bytes | str, text: str) -> None:
    sent = body if isinstance(body, bytes) else body.encode()
    assert noted_body(an_answer(body=sent)) == text
