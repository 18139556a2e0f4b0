"""Cursors are read back or refused; a filter fits what it says."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.errors import InvalidCursor
from generations.ids import DELIVERY, GENERATION, new_id
from generations.lifecycle import Status
from generations.records import as_accepted, to_ms, write_new_generation
from generations.selection import Filter, Place
from tests.builders import NOW, SEEDANCE, a_new_generation

ID = "gen_01M82P1PYJXCCQKQW58TGX2232"
CURSOR = Place(1_795_386_459_104, ID).as_cursor()


@given(ms=st.integers(0, 999_999_999_999_999))
def test_a_cursor_leads_back_to_its_place(ms: int) -> None:
    place = Place(ms, new_id(GENERATION))
    assert Place.of_cursor(place.as_cursor()) == place
    assert set(place.as_cursor()) <= set(Place(0, ID).as_cursor()) | set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    )


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "\0",
        ID,
        CURSOR[:-1],
        CURSOR + "A",
        CURSOR + "==",
        CURSOR + "\n",
        " " + CURSOR,
        CURSOR[:5] + "." + CURSOR[5:],
        encoded(f"2:5:{ID}"),
        encoded(f"1:-5:{ID}"),
        encoded(f"1:05:{ID}"),
        encoded(f"1:5.0:{ID}"),
        encoded(f"1:{'9' * 16}:{ID}"),
        encoded("1:5:"),
        pytest.param(encoded(f"1:5:{new_id(DELIVERY)}"), id="of a delivery"),
        encoded("1:5:generations"),
        encoded(f"1:٥:{ID}"),
        "_" * 5000,
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        Place.of_cursor(cursor)


def test_places_are_ordered_as_redis_orders_them() -> None:
    places = [Place(2, "gen_a"), Place(1, "gen_z"), Place(2, "gen_B"), Place(10, "gen_0")]
    assert sorted(places) == [
        Place(1, "gen_z"),
        Place(2, "gen_B"),
        Place(2, "gen_a"),
        Place(10, "gen_0"),
    ]


def fields_of(**facts: Any) -> dict[str, str]:
    """A record with two notes, as Redis keeps it."""
    new = a_new_generation(metadata={"order": "4711", "user": "17"})
    return {**as_accepted(write_new_generation(new), to_ms(NOW), 60_000), **facts}


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter(), True),
        (Filter(statuses=frozenset({Status.QUEUED, Status.FAILED})), True),
        (Filter(statuses=frozenset({Status.FAILED})), False),
        (Filter(model_id=SEEDANCE), True),
        (Filter(model_id="other/model"), False),
        (Filter(metadata={"order": "4711"}), True),
        (Filter(metadata={"order": "4711", "user": "17"}), True),
        (Filter(metadata={"order": "471"}), False),
        (Filter(metadata={"order": "4711", "else": ""}), False),
        (Filter(is_set_aside=True), False),
        (Filter(statuses=frozenset({Status.QUEUED}), model_id="other/model"), False),
    ],
)
def test_a_filter_fits_what_has_all_of_it(wanted: Filter, fits: bool) -> None:
    record = fields_of()
    assert wanted.fits(record) is fits
    # The few fields that are looked at say as much as the whole.
    assert wanted.fits({name: record.get(name) for name in wanted.fields}) is fits


def test_what_was_set_aside_fits_where_only_that_is_meant() -> None:
    assert Filter(is_set_aside=True).fits(fields_of(set_aside="1"))


def test_what_has_no_notes_fits_no_notes_only() -> None:
    record = {name: text for name, text in fields_of().items() if name != "metadata"}
    assert Filter().fits(record)
    assert not Filter(metadata={"order": "4711"}).fits(record)


def within(bounds: tuple[str, str], ms: int) -> bool:
    """As Redis reads bounds."""
    newest, oldest = bounds

    def compare(bound: str, holds: Callable[[float, float], bool]) -> bool:
        number = float(bound.removeprefix("("))
        return holds(ms, number) or (not bound.startswith("(") and ms == number)

    return compare(newest, lambda a, b: a < b) and compare(oldest, lambda a, b: a > b)


@given(
    after=st.none() | st.integers(0, 9_000),
    before=st.none() | st.integers(0, 9_000),
    place=st.none() | st.integers(0, 9),
    ms=st.integers(0, 9),
)
def test_bounds_hold_to_the_microsecond(
    after: int | None, before: int | None, place: int | None, ms: int
) -> None:
    def instant(us: int | None) -> datetime | None:
        return None if us is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)

    wanted = Filter(created_after=instant(after), created_before=instant(before))
    bounds = wanted.between(None if place is None else Place(place, ID))
    assert within(bounds, ms) == (
        (after is None or ms * 1000 > after)
        and (before is None or ms * 1000 < before)
        and (place is None or ms <= place)
    )
