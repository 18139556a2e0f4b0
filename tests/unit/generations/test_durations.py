"""What is known of a model's durations, and what is made of it."""

from datetime import timedelta
from typing import Any

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
    progress_of,
    ran,
    read_ran,
    seconds_left,
    write_ran,
)
from generations.lifecycle import Status
from tests.builders import NOW, a_generation, a_timeline

seconds = st.floats(min_value=0.1, max_value=1e6)
#: As the builder's timeline has it.
TAKEN_AT = a_timeline(Status.IN_QUEUE)[-1].at


def some(count: int, *, around: float, queued: float = 0.0) -> list[Ran]:
    """Ends within a tenth of a time."""
    times = [around * (0.9 + 0.2 * (n % 11) / 10) for n in range(count)]
    return [Ran(queued, time, time) for time in times]


def after(number: float) -> Any:
    return TAKEN_AT + timedelta(seconds=number)


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


def test_what_was_never_seen_to_wait_ran_from_its_submission_on() -> None:
    ended = ran(a_generation(status=Status.IN_QUEUE), None, after(50))
    assert ended == Ran(queued=0, least=0, most=50)


def test_an_end_lies_between_the_last_two_looks() -> None:
    facts = {"looked_at": after(40), "running_since": TAKEN_AT}
    ended = ran(a_generation(status=Status.IN_PROGRESS, **facts), None, after(50))
    assert ended == Ran(queued=0, least=40, most=50)


@pytest.mark.parametrize(("took", "read"), [(44, 44), (20, 40), (1000, 50)])
def test_runcomfys_word_on_the_time_is_taken_as_far_as_it_agrees(took: int, read: int) -> None:
    facts = {"looked_at": after(40), "running_since": TAKEN_AT}
    generation = a_generation(status=Status.IN_PROGRESS, **facts)
    ended = ran(generation, timedelta(seconds=took), after(50))
    assert ended == Ran(queued=0, least=read, most=read)


def test_the_time_in_the_queue_is_told_from_the_time_that_it_ran() -> None:
    facts = {"looked_at": after(70), "running_since": after(30)}
    ended = ran(a_generation(status=Status.IN_PROGRESS, **facts), None, after(80))
    assert ended == Ran(queued=30, least=40, most=50)


def test_what_was_seen_to_wait_and_then_to_have_ended_ran_in_between() -> None:
    ended = ran(a_generation(status=Status.IN_QUEUE, looked_at=after(30)), None, after(80))
    assert ended == Ran(queued=30, least=0, most=50)


def test_progress_never_runs_backwards() -> None:
    generation = a_generation(status=Status.IN_PROGRESS, running_since=after(30))
    assert progress_of(generation, after(10)).running == 0
    assert progress_of(a_generation(), NOW - timedelta(hours=1)).elapsed == 0


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
