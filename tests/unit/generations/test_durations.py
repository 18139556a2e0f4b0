"""What is known of a model's durations, and what is made of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.durations import (
    ENOUGH,
    HALF_LIFE,
    KEPT,
    LETTERS,
    UNKNOWN,
    Progress,
    Ran,
    pace_of,
    read_ran,
    seconds_left,
    write_ran,
)

seconds = st.floats(min_value=0.1, max_value=1e6)


def some(count: int, *, around: float, queued: float = 0.0) -> list[Ran]:
    """Ends within a tenth of a time."""
    times = [around * (0.9 + 0.2 * (n % 11) / 10) for n in range(count)]
    return [Ran(queued, time, time) for time in times]


@given(seconds, seconds, seconds)
def test_an_end_is_read_as_it_was_written_but_for_half_a_percent(
    queued: float, least: float, most: float
) -> None:
    text = write_ran(Ran(queued, least, most))
    assert len(text) == LETTERS
    (read,) = read_ran(text)
    found = (read.queued, read.least, read.most)
    assert found == pytest.approx((queued, least, most), rel=0.005)


@pytest.mark.parametrize("number", [0.0, -3.0, 1e-9, 1e12])
def test_what_is_out_of_range_is_written_all_the_same(number: float) -> None:
    (read,) = read_ran(write_ran(Ran(number, number, number)))
    assert 0 <= read.least < 2e6


@pytest.mark.parametrize("text", ["", "123", "zzzzzzzzz", "12345678"])
def test_what_is_no_end_is_none(text: str) -> None:
    assert read_ran(text) == []


def test_nothing_is_known_without_ends() -> None:
    assert pace_of([], []) is UNKNOWN


def test_trust_grows_with_the_ends() -> None:
    trusts = [pace_of(some(count, around=60), []).trust for count in (1, 4, 8, 2 * ENOUGH)]
    assert trusts == sorted(trusts)
    assert trusts[0] < 0.1
    assert trusts[-1] == 1


def test_a_kind_without_ends_goes_by_its_model() -> None:
    running = pace_of([], some(50, around=60)).running
    assert running is not None
    assert 55 < running.typical(0.0) < 65


def test_a_kind_with_enough_ends_goes_by_its_own() -> None:
    running = pace_of(some(40, around=200), some(200, around=60)).running
    assert running is not None
    assert 190 < running.typical(0.0) < 215


@pytest.mark.parametrize("now", [30.0, 240.0])
def test_what_a_model_was_is_unlearned(now: float) -> None:
    latest = [*some(2 * HALF_LIFE, around=now), *some(KEPT, around=90.0)]
    running = pace_of(latest[:KEPT], []).running
    assert running is not None
    assert 0.9 * now < running.typical(0.0) < 1.2 * now


def test_looks_go_into_the_queue_only_where_many_wait_long() -> None:
    assert pace_of(some(40, around=60, queued=3.0), []).queued is None
    assert pace_of([*some(40, around=60), *some(4, around=60, queued=30)], []).queued is None
    assert pace_of(some(40, around=60, queued=30.0), []).queued is not None


def test_the_time_left_is_told_once_enough_is_known() -> None:
    assert seconds_left(UNKNOWN, Progress(running=10)) is None
    assert seconds_left(pace_of(some(3, around=60), []), Progress(running=10)) is None
    pace = pace_of(some(40, around=60), [])
    assert seconds_left(pace, Progress(running=10)) == pytest.approx(50, abs=4)
    assert seconds_left(pace, Progress(elapsed=20)) == pytest.approx(40, abs=4)


def test_the_time_left_counts_the_queue() -> None:
    pace = pace_of(some(40, around=60, queued=30), [])
    assert seconds_left(pace, Progress(elapsed=10)) == pytest.approx(80, abs=8)
    assert seconds_left(pace, Progress(elapsed=40, running=10)) == pytest.approx(50, abs=4)
