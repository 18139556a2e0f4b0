"""What the looks at a generation tell of its time."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from generations.durations import Ran
from generations.lifecycle import Status
from generations.model import PastEnd
from tests.builders import NOW, a_generation, a_timeline
from worker.looks import end_seen, look_at, ran
from worker.polling import decide_poll
from worker.runcomfy.protocol import NotThere, Observation

SECOND = timedelta(seconds=1)
#: As the builder's timeline has it.
TAKEN_AT = a_timeline(Status.IN_QUEUE)[-1].at


def at(seconds: float) -> datetime:
    """An instant after RunComfy took it."""
    return TAKEN_AT + seconds * SECOND


def test_what_nobody_saw_waiting_ran_from_its_submission_on() -> None:
    step = decide_poll(
        a_generation(status=Status.IN_QUEUE), Observation(Status.IN_PROGRESS), now=at(9), draw=0.5
    )
    assert step.set["running_since"] == TAKEN_AT
    assert step.set["looked_at"] == at(9)


def test_what_was_seen_waiting_began_between_the_looks() -> None:
    generation = a_generation(status=Status.IN_QUEUE, looked_at=at(10))
    step = decide_poll(generation, Observation(Status.IN_PROGRESS), now=at(20), draw=0.5)
    assert step.set["running_since"] == at(15)


def test_when_it_began_is_noted_once() -> None:
    generation = a_generation(status=Status.IN_PROGRESS, running_since=at(3), looked_at=at(10))
    seen = Observation(Status.IN_PROGRESS)
    step = decide_poll(generation, seen, now=at(20), draw=0.5)
    assert "running_since" not in step.set
    assert look_at(generation, seen, now=at(20)).running == 17


@pytest.mark.parametrize(
    ("before", "ahead", "turn"),
    [(6, 3, 10.0), (6, 1, 2.0), (1, 0, 10.0), (3, 3, None), (3, 5, None), (None, 3, None)],
)
def test_its_turn_is_told_by_how_fast_the_line_moves(
    before: int | None, ahead: int, turn: float | None
) -> None:
    generation = a_generation(status=Status.IN_QUEUE, queue_position=before, looked_at=at(10))
    seen = Observation(Status.IN_QUEUE, queue_position=ahead)
    assert look_at(generation, seen, now=at(20)).turn == turn


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
def test_how_long_it_took_is_learned_from_every_end(status: Status) -> None:
    ended = end_seen(
        a_generation(status=Status.IN_QUEUE), Observation(status, took=40 * SECOND), now=at(50)
    )
    assert ended == Ran(queued=0, least=40, most=40)


@pytest.mark.parametrize(
    ("seen", "facts"),
    [
        (Observation(Status.CANCELLED), {}),
        (Observation(Status.IN_PROGRESS), {}),
        (NotThere(), {}),
        (Observation(Status.SUCCEEDED), {"cancel_requested_at": NOW}),
        (Observation(Status.SUCCEEDED), {"past_ends": (PastEnd(3, None, 1, False),)}),
    ],
)
def test_nothing_is_learned_from_what_did_not_run_its_course(
    seen: Observation | NotThere, facts: dict[str, Any]
) -> None:
    assert end_seen(a_generation(status=Status.IN_PROGRESS, **facts), seen, now=NOW) is None


def test_a_clock_that_is_behind_takes_nothing_away() -> None:
    generation = a_generation(status=Status.IN_PROGRESS, running_since=at(30))
    progress = look_at(generation, Observation(Status.IN_PROGRESS), now=at(-5))
    assert (progress.elapsed, progress.running) == (0, 0)


def test_what_began_before_its_beginning_was_noted_gets_it_noted() -> None:
    generation = a_generation(status=Status.IN_PROGRESS, looked_at=at(10))
    step = decide_poll(generation, Observation(Status.IN_PROGRESS), now=at(20), draw=0.5)
    assert step.to is None
    assert step.set["running_since"] == at(15)


def test_what_was_never_seen_to_wait_ran_from_its_submission_on() -> None:
    ended = ran(a_generation(status=Status.IN_QUEUE), None, at(50))
    assert ended == Ran(queued=0, least=0, most=50)


def test_an_end_lies_between_the_last_two_looks() -> None:
    facts = {"looked_at": at(40), "running_since": TAKEN_AT}
    ended = ran(a_generation(status=Status.IN_PROGRESS, **facts), None, at(50))
    assert ended == Ran(queued=0, least=40, most=50)


@pytest.mark.parametrize(("took", "read"), [(44, 44), (20, 40), (1000, 50)])
def test_runcomfys_word_on_the_time_is_taken_as_far_as_it_agrees(took: int, read: int) -> None:
    facts = {"looked_at": at(40), "running_since": TAKEN_AT}
    generation = a_generation(status=Status.IN_PROGRESS, **facts)
    ended = ran(generation, timedelta(seconds=took), at(50))
    assert ended == Ran(queued=0, least=read, most=read)


def test_the_time_in_the_queue_is_told_from_the_time_that_it_ran() -> None:
    facts = {"looked_at": at(70), "running_since": at(30)}
    ended = ran(a_generation(status=Status.IN_PROGRESS, **facts), None, at(80))
    assert ended == Ran(queued=30, least=40, most=50)


def test_what_was_seen_to_wait_and_then_to_have_ended_ran_in_between() -> None:
    ended = ran(a_generation(status=Status.IN_QUEUE, looked_at=at(30)), None, at(80))
    assert ended == Ran(queued=30, least=0, most=50)
