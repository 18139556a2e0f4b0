import random

from ops.simulator.timeline import NEVER, QUEUE_DEPTH, Spread, State, Timeline, plan, to_iso


def test_a_request_queues_then_runs_then_ends() -> None:
    timeline = plan(100.0, queue=4, run=16)
    states = [timeline.state_at(now) for now in (100, 103.9, 104, 119.9, 120)]
    assert states == [
        State.IN_QUEUE,
        State.IN_QUEUE,
        State.IN_PROGRESS,
        State.IN_PROGRESS,
        State.ENDED,
    ]


def test_the_queue_before_a_request_only_ever_shortens() -> None:
    timeline = plan(0.0, queue=4, run=16)
    waiting = [timeline.waiting_before_at(tenth / 10) for tenth in range(50)]
    assert waiting == sorted(waiting, reverse=True)
    assert (waiting[0], waiting[-1]) == (QUEUE_DEPTH - 1, 0)


def test_a_skipped_state_is_never_seen() -> None:
    no_queue = plan(0.0, queue=4, run=16, skip="in_queue")
    no_progress = plan(0.0, queue=4, run=16, skip="in_progress")
    assert {no_queue.state_at(t) for t in range(30)} == {State.IN_PROGRESS, State.ENDED}
    assert {no_progress.state_at(t) for t in range(30)} == {State.IN_QUEUE, State.ENDED}


def test_a_held_request_waits_until_it_is_started() -> None:
    held = Timeline(0.0, started_at=NEVER, run=16)
    assert held.state_at(1e9) is State.IN_QUEUE
    assert held.waiting_before_at(1e9) == QUEUE_DEPTH - 1
    started = held.start(50.0)
    assert started.state_at(50.0) is State.IN_PROGRESS
    assert started.ended_at == 66.0


def test_starting_twice_changes_nothing() -> None:
    started = plan(0.0, queue=4, run=16).start(1.0)
    assert started.start(2.0) is started


def test_finishing_ends_a_queued_request_at_once() -> None:
    finished = Timeline(0.0, started_at=NEVER, run=NEVER).finish(7.0)
    assert finished.state_at(7.0) is State.ENDED
    assert finished.finish(9.0) is finished
    assert finished.ended_at == 7.0


def test_a_cancellation_after_the_end_is_too_late() -> None:
    timeline = plan(0.0, queue=4, run=16)
    assert timeline.cancel(2.0).state_at(2.0) is State.CANCELLED
    assert timeline.cancel(25.0).state_at(30.0) is State.ENDED


def test_durations_keep_their_median_and_divide_by_the_speed() -> None:
    source = random.Random(1)
    drawn = sorted(Spread(median=16, sigma=0.1).draw(source, speed=4) for _ in range(999))
    assert abs(drawn[499] - 4) < 0.1


def test_instants_have_fractions_and_an_offset() -> None:
    assert to_iso(0.0) == "1970-01-01T00:00:00.000000+00:00"
    assert to_iso(NEVER) is None
