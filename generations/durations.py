"""What is known of how long a model takes: the latest ends of it, and the pace they ask for. Pure.

An end is what succeeded or failed by RunComfy's word: both are to be told soon. What was
cancelled, or was never seen to end, tells nothing of the model and is left out. Where ends
are kept is ``durations_store.py``'s.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from generations.lifecycle import Status
from generations.model import Generation
from generations.rhythm import Rhythm, Span, rhythm_of

#: So many of the latest ends are kept of a model, and of each kind of its inputs.
KEPT: Final = 200
#: After so many newer ends one counts half: what a model once was is unlearned.
HALF_LIFE: Final = 50
#: How many looks an average generation takes, from its submission to the one that sees its
#: end. How long the end waits to be seen goes with the inverse.
LOOKS: Final = 8
#: How many more may go into seeing when RunComfy begins, where a model's requests wait for that.
LOOKS_IN_QUEUE: Final = 3
#: With so many ends, what is known counts alone: no mild backoff, and nothing of other kinds.
ENOUGH: Final = 16
#: A model's requests wait, where more than this part of them wait longer than that part of
#: the usual time: only then is it worth looks to see when they begin.
MANY_WAIT: Final = 0.15
LONG_WAIT: Final = 0.1

#: Each number of an end is written as three hexadecimal digits, on a scale of logarithms.
DIGITS: Final = 3
LETTERS: Final = 3 * DIGITS
STEPS: Final = 240
SHORTEST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Ran:
    """How long one generation took, as far as it could be seen."""

    #: Seconds that it was seen to wait in RunComfy's queue; 0 where it never was.
    queued: float
    #: It ran for longer than this, and no longer than that.
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of generations like one, ready for its polls."""

    #: None where nothing is known.
    running: Rhythm | None = None
    #: None where they do not wait in RunComfy's queue, as far as is known.
    queued: Rhythm | None = None
    #: From 0, nothing is known, to 1.
    trust: float = 0.0


UNKNOWN: Final = Pace()


def pace_of(own: Sequence[Ran], of_model: Sequence[Ran]) -> Pace:
    """The pace for a kind of input, from its latest ends and its model's, the newest first."""
    weighed = [(ran, 2 ** (-age / HALF_LIFE)) for age, ran in enumerate(own[:KEPT])]
    total = sum(weight for _, weight in weighed)
    if total < ENOUGH and of_model:
        others = [(ran, 2 ** (-age / HALF_LIFE)) for age, ran in enumerate(of_model[:KEPT])]
        there = sum(weight for _, weight in others)
        part = min((ENOUGH - total) / there, 1.0)
        weighed += [(ran, weight * part) for ran, weight in others]
        total += there * part
    if not weighed:
        return UNKNOWN
    running = rhythm_of(
        [_span(ran.least, ran.most, weight) for ran, weight in weighed], looks=LOOKS
    )
    return Pace(
        running=running,
        queued=_queued(weighed, long=running.typical(0) * LONG_WAIT),
        trust=min(total / ENOUGH, 1.0),
    )


def _queued(weighed: Sequence[tuple[Ran, float]], *, long: float) -> Rhythm | None:
    total = sum(weight for _, weight in weighed)
    waiting = sum(weight for ran, weight in weighed if ran.queued > long)
    if waiting < total * MANY_WAIT:
        return None
    spans = [_span(ran.queued * 0.9, ran.queued * 1.1, weight) for ran, weight in weighed]
    return rhythm_of(spans, looks=LOOKS_IN_QUEUE)


def _span(least: float, most: float, weight: float) -> Span:
    return least, max(most, least * 1.005, SHORTEST), weight


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a submitted generation is, in seconds, as far as it was seen."""

    #: Since RunComfy took it.
    elapsed: float = 0.0
    #: Since RunComfy began; None where it was seen to wait, or was not looked at yet.
    running: float | None = None
    #: Until its turn, at the speed of the line in front of it; None where that is not known.
    turn: float | None = None
    #: Whether it was looked at.
    is_seen: bool = False
    #: Whether somebody is to be told when it begins.
    is_start_told: bool = False


def submitted_at(generation: Generation) -> datetime:
    """When RunComfy took it."""
    taken = (m.at for m in reversed(generation.timeline) if m.status is Status.IN_QUEUE)
    return next(taken, generation.created_at)


def is_start_told(generation: Generation) -> bool:
    """Whether somebody is told when RunComfy begins."""
    return generation.webhook is not None and generation.webhook_intermediate_status


def progress_of(
    generation: Generation,
    now: datetime,
    *,
    begun: datetime | None,
    is_seen: bool,
    turn: float | None = None,
) -> Progress:
    """How far one is that RunComfy has, and began with at ``begun``."""
    return Progress(
        elapsed=max((now - submitted_at(generation)).total_seconds(), 0.0),
        running=None if begun is None else max((now - begun).total_seconds(), 0.0),
        turn=turn,
        is_seen=is_seen,
        is_start_told=is_start_told(generation),
    )


def seconds_left(pace: Pace, progress: Progress) -> float | None:
    """Seconds until about when it will have ended; None while too little is known to say."""
    if pace.running is None or pace.trust < 0.5:
        return None
    if progress.running is not None:
        return pace.running.typical(progress.running) - progress.running
    if pace.queued is None:
        return pace.running.typical(progress.elapsed) - progress.elapsed
    queued = pace.queued.typical(progress.elapsed) - progress.elapsed
    return queued + pace.running.typical(0.0)


def write_ran(ended: Ran) -> str:
    """One end, of as many letters as any other, so that the oldest can be cut off."""
    return "".join(map(_digits, (ended.queued, ended.least, ended.most)))


def read_ran(text: str) -> list[Ran]:
    """What :func:`write_ran` wrote, one after the other; empty where it is nothing of the kind."""
    try:
        return [Ran(*numbers) for numbers in _numbers(text)]
    except ValueError:
        return []


def _numbers(text: str) -> Iterator[Iterator[float]]:
    for at in range(0, len(text) - LETTERS + 1, LETTERS):
        yield (_seconds(text[n : n + DIGITS]) for n in range(at, at + LETTERS, DIGITS))


def _digits(seconds: float) -> str:
    step = round(math.log(max(seconds, SHORTEST) / SHORTEST) * STEPS)
    return f"{min(step, 16**DIGITS - 1):0{DIGITS}x}"


def _seconds(digits: str) -> float:
    step = int(digits, 16)
    return SHORTEST * math.exp(step / STEPS) if step > 0 else 0.0
