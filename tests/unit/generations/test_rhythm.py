"""When looks come, over the time that something has taken."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.rhythm import MOST_LONGEST_GAP, SHORTEST_GAP, Rhythm, rhythm_of

#: From 40 to 80 seconds, most of them near 60.
NEAR_A_MINUTE = [(60.0 + n, 60.5 + n, 1.0) for n in (-20, -9, -5, -2, -1, 0, 1, 2, 5, 9, 20)]

lengths = st.floats(min_value=0.0, max_value=1e6)
spans = st.tuples(lengths, st.floats(min_value=0.05, max_value=1e6), st.floats(0.01, 1.0)).map(
    lambda span: (span[0], span[0] + span[1], span[2])
)


def looks_at(rhythm: Rhythm, end: float) -> list[float]:
    """Every instant that is looked at, up to the first at or after the end."""
    instants = [rhythm.gap(0.0)]
    while instants[-1] < end:
        instants.append(instants[-1] + rhythm.gap(instants[-1]))
    return instants


@given(st.lists(spans, min_size=1, max_size=30), lengths, st.floats(0.5, 1.5), st.integers(2, 20))
def test_every_gap_is_bounded_whatever_is_known(
    known: list[tuple[float, float, float]], elapsed: float, looks: float, budget: int
) -> None:
    rhythm = rhythm_of(known, looks=budget)
    assert SHORTEST_GAP <= rhythm.gap(elapsed, looks=looks) <= MOST_LONGEST_GAP
    assert math.isfinite(rhythm.typical(elapsed))
    assert rhythm.typical(elapsed) >= elapsed


def test_nothing_is_looked_at_before_it_can_have_ended() -> None:
    assert rhythm_of(NEAR_A_MINUTE, looks=8).gap(0.0) > 30


def test_looks_are_closest_where_most_end() -> None:
    rhythm = rhythm_of(NEAR_A_MINUTE, looks=8)
    assert rhythm.gap(60.0) < rhythm.gap(45.0)
    assert rhythm.gap(60.0) < rhythm.gap(110.0)


def test_more_looks_come_closer() -> None:
    few, many = rhythm_of(NEAR_A_MINUTE, looks=4), rhythm_of(NEAR_A_MINUTE, looks=16)
    assert many.gap(60.0) < few.gap(60.0) / 2


@pytest.mark.parametrize("elapsed", [6.5, 20.0, 47.0, 160.0, 1e6])
def test_what_is_long_overdue_is_looked_at_every_ten_seconds_however_long_it_was_held_up(
    elapsed: float,
) -> None:
    seconds = [(4.0 + n / 20, 4.1 + n / 20, 1.0) for n in range(40)]
    assert rhythm_of(seconds, looks=8).gap(elapsed) <= 10.0


def test_what_outlives_everything_known_is_looked_at_all_the_same() -> None:
    rhythm = rhythm_of(NEAR_A_MINUTE, looks=8)
    assert len(looks_at(rhythm, 3600.0)) > 3600 / 60
    assert rhythm.gap(1e9) == pytest.approx(rhythm.typical(0.0) / 2)


def test_what_takes_ten_times_as_long_as_ever_is_seen_to_end_soon_all_the_same() -> None:
    quick = rhythm_of([(0.9 + n / 100, 0.91 + n / 100, 1.0) for n in range(20)], looks=8)
    assert looks_at(quick, 10.0)[-1] < 14
    assert looks_at(quick, 100.0)[-1] < 130


def test_between_two_humps_there_is_hardly_a_look() -> None:
    humps = [(at + n / 10, at + n / 10 + 0.1, 1.0) for at in (20.0, 200.0) for n in range(-10, 11)]
    between = [t for t in looks_at(rhythm_of(humps, looks=8), 200.0) if 26 < t < 170]
    assert len(between) <= 2


def test_the_typical_end_moves_on_with_the_time_that_passed() -> None:
    rhythm = rhythm_of(NEAR_A_MINUTE, looks=8)
    assert 58 < rhythm.typical(0.0) < 63
    assert 65 < rhythm.typical(65.0) < 100
    assert rhythm.typical(5000.0) == 10_000.0
