"""Learned pacing through the worker's own decisions, on generations that are drawn by a seed."""

from bench.pacing import LOG_NORMAL, TRACES, drawn, follow
from bench.schedules import best, fixed

COUNT = 400
SEED = 7


def test_what_was_learned_is_seen_sooner_and_polled_less() -> None:
    polls, waits = follow(TRACES[LOG_NORMAL[0]], count=COUNT, seed=SEED)
    assert polls[-100:].mean() < polls[:10].mean() - 2
    assert waits[-100:].mean() < waits[:10].mean() / 2


def test_an_end_waits_half_as_long_as_with_a_fixed_interval_at_equal_polls() -> None:
    trace = TRACES[LOG_NORMAL[0]]
    polls, waits = follow(trace, count=COUNT, seed=SEED)
    _, taken = drawn(trace, COUNT, SEED)
    assert waits.mean() < fixed(taken, float(polls.mean())) / 2


def test_a_model_that_becomes_twice_as_slow_is_learned_anew() -> None:
    trace = TRACES["twice as slow and back"]
    polls, waits = follow(trace, count=1000, seed=SEED)
    _, taken = drawn(trace, 1000, SEED)
    # From the 500th on it is slow; the first of them are the surprised ones.
    late = slice(750, 1000)
    assert waits[late].mean() < fixed(taken[late], float(polls[late].mean())) / 2


def test_what_queues_takes_few_more_polls() -> None:
    polls, _ = follow(TRACES["queue, then run"], count=COUNT, seed=SEED)
    assert polls[100:].mean() < 12


def test_no_schedule_is_better_than_the_best() -> None:
    _, taken = drawn(TRACES[LOG_NORMAL[1]], 2000, SEED)
    assert best([taken], 8, cells=300) < fixed(taken, 8) * 0.55
