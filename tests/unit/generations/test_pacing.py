"""When to look again, and when to try again."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.durations import UNKNOWN, Pace, Progress, Ran, pace_of
from generations.pacing import (
    LONGEST_ASKED_BY_RUNCOMFY,
    AttemptAgain,
    GiveUp,
    decide_backoff,
    decide_next_attempt,
    decide_next_poll,
    horizon,
    last_call,
)

SECOND = timedelta(seconds=1)
SCHEDULE = (5 * SECOND, 300 * SECOND, 1800 * SECOND)
#: Of a delivery that was just created.
AGE = timedelta()
#: A draw in the middle adds no jitter.
MIDDLE = 0.5

draws = st.floats(min_value=0, max_value=1)
counts = st.integers(min_value=0, max_value=10**9)


def test_polls_begin_a_second_apart_and_end_ten_apart() -> None:
    gaps = [decide_next_poll(polls=polls, draw=MIDDLE) for polls in range(30)]
    assert gaps[0] == SECOND
    assert gaps[-1] == 10 * SECOND
    assert all(earlier <= later for earlier, later in pairwise(gaps))


@given(polls=counts, draw=draws)
def test_a_gap_is_never_far_from_one_to_ten_seconds(polls: int, draw: float) -> None:
    assert 0.8 * SECOND <= decide_next_poll(polls=polls, draw=draw) <= 12 * SECOND


def test_the_draw_spreads_a_burst() -> None:
    assert decide_next_poll(polls=0, draw=0) == 0.8 * SECOND
    assert decide_next_poll(polls=0, draw=1) == 1.2 * SECOND


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 16), (1000, 16)]
)
def test_runcomfy_is_left_alone_for_longer_after_each_failure(failures: int, seconds: int) -> None:
    wait = decide_backoff(failures=failures, retry_after=None, draw=MIDDLE)
    assert wait == seconds * SECOND


def test_runcomfy_is_left_alone_for_as_long_as_it_asks() -> None:
    assert decide_backoff(failures=1, retry_after=90 * SECOND, draw=MIDDLE) == 90 * SECOND
    assert decide_backoff(failures=4, retry_after=2 * SECOND, draw=MIDDLE) == 8 * SECOND


def test_nobody_can_ask_to_be_left_alone_for_years() -> None:
    years = timedelta(days=4000)
    assert decide_backoff(failures=1, retry_after=years, draw=1) == LONGEST_ASKED_BY_RUNCOMFY
    again = decide_next_attempt(attempts=1, age=AGE, schedule=SCHEDULE, retry_after=years, draw=1)
    assert again == AttemptAgain(horizon(SCHEDULE))


@given(
    failures=st.integers(min_value=1, max_value=10**9),
    retry_after=st.none() | st.timedeltas(min_value=timedelta()),
    draw=draws,
)
def test_a_backoff_is_bounded(failures: int, retry_after: timedelta | None, draw: float) -> None:
    wait = decide_backoff(failures=failures, retry_after=retry_after, draw=draw)
    assert 0.8 * SECOND <= wait <= max(36 * SECOND, LONGEST_ASKED_BY_RUNCOMFY)


def test_a_schedule_allows_one_attempt_more_than_it_has_waits() -> None:
    decisions = [
        decide_next_attempt(attempts=n, age=AGE, schedule=SCHEDULE, retry_after=None, draw=MIDDLE)
        for n in range(1, 6)
    ]
    assert decisions == [*map(AttemptAgain, SCHEDULE), GiveUp(), GiveUp()]


def test_without_a_schedule_the_first_attempt_is_the_last() -> None:
    assert (
        decide_next_attempt(attempts=1, age=AGE, schedule=(), retry_after=None, draw=0) == GiveUp()
    )


def test_an_endpoint_may_ask_for_more_time_but_not_for_less() -> None:
    longer = decide_next_attempt(
        attempts=1, age=AGE, schedule=SCHEDULE, retry_after=60 * SECOND, draw=MIDDLE
    )
    shorter = decide_next_attempt(
        attempts=2, age=AGE, schedule=SCHEDULE, retry_after=SECOND, draw=MIDDLE
    )
    assert longer == AttemptAgain(60 * SECOND)
    assert shorter == AttemptAgain(300 * SECOND)


def test_an_endpoint_that_asks_for_time_gets_no_more_attempts_for_it() -> None:
    assert (
        decide_next_attempt(attempts=4, age=AGE, schedule=SCHEDULE, retry_after=SECOND, draw=MIDDLE)
        == GiveUp()
    )


def learned(*, queued: float = 0.0) -> Pace:
    """Of a model that takes a minute, more or less."""
    return pace_of([Ran(queued, time, time) for time in range(50, 71) for _ in range(2)], [])


def next_poll(pace: Pace = UNKNOWN, **progress: Any) -> float:
    wait = decide_next_poll(polls=3, draw=MIDDLE, pace=pace, progress=Progress(**progress))
    return wait.total_seconds()


def test_what_was_learned_lets_the_first_poll_wait_until_there_is_something_to_see() -> None:
    assert 30 < next_poll(learned()) < 60


def test_what_runs_is_polled_by_how_long_it_has_run() -> None:
    near, far = next_poll(learned(), running=60.0), next_poll(learned(), running=5.0)
    assert near < 5
    assert far > 30


def test_a_few_ends_change_the_mild_backoff_a_little() -> None:
    few = pace_of([Ran(0, 60, 60)] * 2, [])
    assert next_poll() < next_poll(few) < next_poll(learned())


def test_whoever_is_told_of_the_beginning_is_told_soon() -> None:
    assert next_poll(learned(), is_start_told=True) == 5
    assert next_poll(learned(), is_start_told=True, running=5.0) > 30


def test_what_waits_unexpectedly_is_polled_mildly() -> None:
    assert next_poll(learned(), elapsed=5.0, is_seen=True) == next_poll()


def test_what_waits_as_others_do_is_polled_by_how_long_they_wait() -> None:
    assert next_poll(learned(queued=30.0), elapsed=10.0, is_seen=True) > 5


@pytest.mark.parametrize("queued", [0.0, 7200.0])
def test_that_it_began_is_seen_within_a_minute(queued: float) -> None:
    hours = pace_of([Ran(queued, 3600.0, 3700.0)] * 40, [])
    assert next_poll(hours) <= 60
    assert next_poll(hours, elapsed=3600.0, is_seen=True) <= 60
    assert next_poll(hours, running=600.0) > 60


def test_in_line_polls_come_closer_as_its_turn_does() -> None:
    turns = [next_poll(is_seen=True, turn=seconds) for seconds in (200.0, 20.0, 10.0, 0.5)]
    assert turns == [30, 12, 6, 1]


times = st.none() | st.floats(min_value=0, max_value=1e7)


@given(polls=counts, draw=draws, elapsed=st.floats(0, 1e7), running=times, turn=times)
@pytest.mark.parametrize("pace", [UNKNOWN, learned(), learned(queued=30.0)])
def test_every_gap_is_positive_and_bounded(
    pace: Pace, polls: int, draw: float, elapsed: float, running: float | None, turn: float | None
) -> None:
    progress = Progress(elapsed=elapsed, running=running, turn=turn)
    wait = decide_next_poll(polls=polls, draw=draw, pace=pace, progress=progress)
    assert 0.4 * SECOND <= wait <= 600 * SECOND


DEFAULT = tuple(
    timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)


@pytest.mark.parametrize(
    ("age", "asked", "waited"),
    [
        (0, 1, 5),  # Never less than the schedule's own wait.
        (0, 60, 60),
        (0, 75 * 3600, 75 * 3600),
        (0, 80 * 3600, 272105),  # Never past the horizon: 75 h, 35 min and 5 s.
        (75 * 3600, 7200, 2105),
        (76 * 3600, 7200, 5),
    ],
)
def test_what_an_endpoint_asks_for_is_honoured_within_the_horizon(
    age: int, asked: int, waited: int
) -> None:
    again = decide_next_attempt(
        attempts=1, age=age * SECOND, schedule=DEFAULT, retry_after=asked * SECOND, draw=MIDDLE
    )
    assert again == AttemptAgain(waited * SECOND)


def test_a_short_schedule_leaves_an_endpoint_an_hour() -> None:
    assert horizon((SECOND,)) == 3600 * SECOND


@given(draw=draws)
def test_a_delivery_past_its_last_call_is_not_tried_again(draw: float) -> None:
    end = last_call(DEFAULT)
    decided = decide_next_attempt(
        attempts=1, age=end, schedule=DEFAULT, retry_after=None, draw=draw
    )
    assert decided == GiveUp()


@given(st.lists(draws, min_size=len(DEFAULT), max_size=len(DEFAULT)))
def test_the_schedule_runs_to_its_end_however_its_draws_fall(drawn: list[float]) -> None:
    age = timedelta()
    for n, draw in enumerate(drawn, start=1):
        again = decide_next_attempt(
            attempts=n, age=age, schedule=DEFAULT, retry_after=None, draw=draw
        )
        assert isinstance(again, AttemptAgain)
        assert 0.8 * DEFAULT[n - 1] <= again.delay <= 1.2 * DEFAULT[n - 1]
        age += again.delay + 20 * SECOND
