"""When to look at RunComfy again, and when to try a delivery again.

Facts in, decisions out: no clock, and the random draw (0 to 1) is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from generations.durations import UNKNOWN, Pace, Progress

#: Seconds, of the mild backoff.
FIRST_GAP: Final = 1.0
LONGEST_MILD_GAP: Final = 10.0
POLL_GROWTH: Final = 1.25
#: How soon it is to be seen whether RunComfy has begun; and where somebody is told.
LONGEST_UNSEEN: Final = 60.0
LONGEST_GAP_TO_TELL: Final = 5.0
#: In RunComfy's line, the next look is after this part of the time until its turn.
PART_OF_TURN: Final = 0.6
LONGEST_TURN_GAP: Final = 30.0
#: By how much a learned gap varies either way: they spread by themselves, as what they wait for.
LOOK_JITTER: Final = 0.1
JUST_SUBMITTED: Final = Progress()

FIRST_BACKOFF: Final = timedelta(seconds=1)
#: Of one generation. While RunComfy answers nobody, the breaker slows all of them.
LONGEST_BACKOFF: Final = timedelta(seconds=16)

#: A Retry-After beyond this is not believed: the generation would outlive its deadline.
LONGEST_ASKED_BY_RUNCOMFY: Final = timedelta(hours=1)
#: So long an endpoint may ask to be left alone, however short the schedule is.
SHORTEST_HORIZON: Final = timedelta(hours=1)
#: What attempts take themselves, and what holds them up, beside a schedule's waits.
HELD_UP: Final = timedelta(hours=1)

#: Each wait varies by this much either way, so that a burst does not stay a burst.
JITTER: Final = 0.2


def decide_next_poll(
    *,
    polls: int,
    draw: float,
    pace: Pace = UNKNOWN,
    progress: Progress = JUST_SUBMITTED,
) -> timedelta:
    """How long to wait before the next poll of a generation polled so often.

    While little is known of generations like it, a mild backoff, which gives way to what is
    learned as ends come in.
    """
    mild = min(FIRST_GAP * POLL_GROWTH ** min(polls, 100), LONGEST_MILD_GAP)
    gap = mild * (1 - JITTER + 2 * JITTER * draw)
    learned = _learned_gap(pace, progress, looks=1 - LOOK_JITTER + 2 * LOOK_JITTER * draw)
    if learned is not None:
        trust = 1.0 if progress.turn is not None else pace.trust
        gap = gap ** (1 - trust) * learned**trust
    if progress.running is None and progress.is_start_told:
        gap = min(gap, LONGEST_GAP_TO_TELL)
    return timedelta(seconds=gap)


def _learned_gap(pace: Pace, progress: Progress, *, looks: float) -> float | None:
    """Seconds; None where nothing was learned about what it does now."""
    if progress.running is not None:
        return pace.running.gap(progress.running, looks=looks) if pace.running else None
    if progress.turn is not None:
        return min(max(progress.turn * PART_OF_TURN * looks, FIRST_GAP), LONGEST_TURN_GAP)
    if pace.queued is not None:
        return min(pace.queued.gap(progress.elapsed, looks=looks), LONGEST_UNSEEN)
    if progress.is_seen or pace.running is None:
        return None  # It waits, which those like it do not.
    return min(pace.running.gap(progress.elapsed, looks=looks), LONGEST_UNSEEN)


def decide_backoff(*, failures: int, retry_after: timedelta | None, draw: float) -> timedelta:
    """How long to leave RunComfy alone after so many failures in a row (at least one)."""
    wait = min(FIRST_BACKOFF * 2 ** min(failures - 1, 10), LONGEST_BACKOFF)
    asked = min(retry_after or timedelta(), LONGEST_ASKED_BY_RUNCOMFY)
    return max(_jittered(wait, draw), asked)


def horizon(schedule: Sequence[timedelta]) -> timedelta:
    """How old a delivery may become at an endpoint's wish."""
    return max(sum(schedule, timedelta()), SHORTEST_HORIZON)


def last_call(schedule: Sequence[timedelta]) -> timedelta:
    """How old a delivery may become, however the draws of its schedule fall.

    None is tried again after that, and none waits longer for its endpoint to recover.
    """
    return _jittered(horizon(schedule), 1) + HELD_UP


@dataclass(frozen=True, slots=True)
class AttemptAgain:
    """Try the delivery again after this long."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The delivery has used up its attempts."""


def decide_next_attempt(
    *,
    attempts: int,
    age: timedelta,
    schedule: Sequence[timedelta],
    retry_after: timedelta | None,
    draw: float,
) -> AttemptAgain | GiveUp:
    """What follows a failed attempt, when so many were made (at least one).

    The schedule holds the waits between attempts: it allows one attempt more than its length.
    The endpoint may ask for a longer one, within the horizon.

    Args:
        age: of the delivery.
        retry_after: what the endpoint asked for.
    """
    if attempts > len(schedule) or age >= last_call(schedule):
        return GiveUp()
    wait = _jittered(schedule[attempts - 1], draw)
    asked = min(retry_after or timedelta(), horizon(schedule) - age)
    return AttemptAgain(max(wait, asked))


def _jittered(wait: timedelta, draw: float) -> timedelta:
    return wait * (1 - JITTER + 2 * JITTER * draw)
