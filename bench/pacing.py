"""How long an end waits to be seen, at equal polls: learned pacing beside the other schedules.

Seeded generations pass one after the other through the worker's own decisions, which begin
without any knowledge and learn as they do in production: each end is written as Redis keeps it,
and the copy that decides is read anew every few ends. Only the clock and RunComfy are played.
The fixed interval and the exponential backoff are tuned to take as many polls on average on the
very same generations; the best schedule is computed from the distribution that the generations
are drawn from, at as many polls; where that changes, it is told of every change in advance,
which nobody who has to learn can match, and so that counts in no figure. Every generation
counts, Darkroom's first ones too, of which it knows nothing.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from bench.schedules import Floats, backoff, best, fixed
from generations.durations import KEPT, UNKNOWN, Pace, Ran, pace_of, read_ran, write_ran
from generations.lifecycle import Status
from generations.model import Generation, Moment
from worker.looks import end_seen
from worker.polling import decide_poll
from worker.runcomfy.protocol import Observation
from worker.submission import submitted

SEED: Final = 20261126
GENERATIONS: Final = 3_000
#: The pace is read anew after so many ends; a worker does so after ten seconds.
READ_ANEW: Final = 5
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
LOG_NORMAL: Final = ("log-normal, sigma 0.15", "log-normal, sigma 0.3")
REPORT: Final = Path("build/pacing.json")

Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True, slots=True)
class Trace:
    """Generations of one model, in seconds."""

    draw: Draw
    #: How long each waits in RunComfy's queue; None: it begins at once.
    queue: Draw | None = None
    #: Whether RunComfy says where in its queue a generation is.
    has_positions: bool = False
    #: The distributions that it passes through, where it is more than its own.
    regimes: tuple[Draw, ...] = ()
    #: Whether RunComfy's result says when it ended.
    says_when: bool = True
    #: Looks that have another duty: within a minute it is to be seen whether it has begun, and
    #: where nothing ends by then the best schedule has to look once for that alone, too.
    duties: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What a trace came to: polls for each generation, and seconds that its end waited."""

    polls: float
    learned: float
    fixed: float
    backoff: float
    best: float | None

    @property
    def to_fixed(self) -> float:
        return self.learned / self.fixed

    @property
    def to_best(self) -> float | None:
        return self.learned / self.best if self.best else None


def log_normal(sigma: float, median: float = 60.0) -> Draw:
    return lambda random, count: median * np.exp(sigma * random.standard_normal(count))


def two_humps(random: np.random.Generator, count: int) -> Floats:
    medians = np.where(random.random(count) < 0.5, 20.0, 90.0)
    return medians * np.exp(0.1 * random.standard_normal(count))


def jumping(random: np.random.Generator, count: int) -> Floats:
    medians = np.where(np.arange(count) // 500 % 2, 120.0, 60.0)
    return medians * np.exp(0.2 * random.standard_normal(count))


def drifting(random: np.random.Generator, count: int) -> Floats:
    medians = 60.0 * np.exp(0.7 * np.sin(np.arange(count) / 200))
    return medians * np.exp(0.2 * random.standard_normal(count))


def waiting(random: np.random.Generator, count: int) -> Floats:
    return random.exponential(40.0, count)


#: A few of the medians that it drifts through, each for as long.
DRIFT: Final = tuple(
    log_normal(0.2, 60.0 * float(np.exp(0.7 * np.sin(np.pi * (n + 0.5) / 9 - np.pi / 2))))
    for n in range(9)
)

TRACES: Final = {
    LOG_NORMAL[0]: Trace(log_normal(0.15)),
    LOG_NORMAL[1]: Trace(log_normal(0.3)),
    "log-normal, sigma 0.3, ends not said": Trace(log_normal(0.3), says_when=False),
    "log-normal, sigma 0.6": Trace(log_normal(0.6)),
    "log-normal, sigma 1": Trace(log_normal(1.0)),
    "two humps": Trace(two_humps),
    "twice as slow and back": Trace(jumping, regimes=(log_normal(0.2), log_normal(0.2, 120.0))),
    "drifting": Trace(drifting, regimes=DRIFT),
    "queue, then run": Trace(log_normal(0.15), queue=waiting),
    "queue with positions, then run": Trace(log_normal(0.15), queue=waiting, has_positions=True),
    "queue, then run, ends not said": Trace(log_normal(0.3), queue=waiting, says_when=False),
    "ten minutes, sigma 0.3": Trace(log_normal(0.3, 600.0), duties=1),
}


class Played:
    """RunComfy, and a worker's polls of it, for one generation after the other."""

    def __init__(self, trace: Trace, random: Random) -> None:
        self._trace = trace
        self._random = random
        self._ends = ""
        self._pace: Pace = UNKNOWN
        self._count = 0

    def run(self, queued: float, ran: float) -> tuple[int, float]:
        """Follow one generation to its end: the polls it took, and how long its end waited."""
        if self._count % READ_ANEW == 0:
            known = read_ran(self._ends)
            self._pace = pace_of(known, known)
        self._count += 1
        generation, now = _accepted(), 0.0
        step = submitted(generation, "rc-1", draw=self._random.random(), pace=self._pace)
        generation = _after(generation, step, now)
        while True:
            assert step.due is not None
            now += step.due.delay.total_seconds()
            seen, at = self._seen(now, queued, ran), BEGIN + timedelta(seconds=now)
            step = decide_poll(
                generation, seen, now=at, draw=self._random.random(), pace=self._pace
            )
            end = end_seen(generation, seen, now=at)
            if end is not None:
                self._learn(end)
                return generation.polls + 1, now - queued - ran
            generation = _after(generation, step, now)

    def _learn(self, end: Ran) -> None:
        text = write_ran(end)
        self._ends = (text + self._ends)[: KEPT * len(text)]

    def _seen(self, now: float, queued: float, ran: float) -> Observation:
        if now < queued:
            # Ten places a minute.
            position = int((queued - now) / 6) + 1 if self._trace.has_positions else None
            return Observation(Status.IN_QUEUE, queue_position=position)
        if now < queued + ran:
            return Observation(Status.IN_PROGRESS)
        took = timedelta(seconds=queued + ran) if self._trace.says_when else None
        return Observation(Status.SUCCEEDED, output={}, took=took)


def _accepted() -> Generation:
    return Generation(
        id="gen_0",
        origin="bench",
        model_id="a/model",
        input={},
        status=Status.SUBMITTING,
        created_at=BEGIN,
        deadline=BEGIN + timedelta(days=7),
        timeline=(Moment(Status.SUBMITTING, BEGIN),),
    )


def _after(generation: Generation, step: Any, now: float) -> Generation:
    """The record with a step in it, as the store keeps it."""
    facts = {name: value for name, value in step.set.items() if name != "runcomfy_request_id"}
    facts["polls"] = generation.polls + step.add.get("polls", 0)
    if step.to is not None:
        moment = Moment(step.to, BEGIN + timedelta(seconds=now))
        facts |= {"status": step.to, "timeline": (*generation.timeline, moment)}
    return replace(generation, **facts)


def follow(trace: Trace, *, count: int = GENERATIONS, seed: int = SEED) -> tuple[Floats, Floats]:
    """Polls of each generation, and seconds that each one's end waited."""
    queued, ran = drawn(trace, count, seed)
    played = Played(trace, Random(seed))
    came_to = [played.run(*one) for one in zip(queued.tolist(), ran.tolist(), strict=True)]
    polls, waits = zip(*came_to, strict=True)
    return np.array(polls, float), np.array(waits)


def drawn(trace: Trace, count: int, seed: int) -> tuple[Floats, Floats]:
    """How long each waits in the queue, and how long it runs."""
    random = np.random.default_rng(seed)
    ran = trace.draw(random, count)
    return (trace.queue(random, count) if trace.queue else np.zeros(count)), ran


def compare(trace: Trace) -> Row:
    """One trace under every schedule, at as many polls on average."""
    polls, waits = follow(trace)
    queued, ran = drawn(trace, GENERATIONS, SEED)
    taken, mean = queued + ran, float(polls.mean())
    return Row(
        polls=mean,
        learned=float(waits.mean()),
        fixed=fixed(taken, mean),
        backoff=backoff(taken, mean),
        best=None if trace.queue else best(_regimes(trace), mean - trace.duties),
    )


def _regimes(trace: Trace) -> list[Floats]:
    random = np.random.default_rng(SEED + 1)
    return [draw(random, 200_000) for draw in trace.regimes or (trace.draw,)]


def figures(rows: dict[str, Row]) -> dict[str, float]:
    """The three that the README and ``build/bench.json`` have."""
    return {
        "pacing_delay_ratio_lognormal": max(rows[name].to_fixed for name in LOG_NORMAL),
        "pacing_delay_ratio_worst": max(row.to_fixed for row in rows.values()),
        "pacing_vs_optimum": max(
            row.to_best for name, row in rows.items() if row.to_best and not TRACES[name].regimes
        ),
    }


def compare_all(progress: Callable[[str], None]) -> dict[str, Row]:
    rows = {}
    for name, trace in TRACES.items():
        progress(f"pacing: {name}")
        rows[name] = compare(trace)
    return rows


def measure(progress: Callable[[str], None]) -> dict[str, float]:
    """The figures; ``progress`` is told a line for each trace."""
    return figures(compare_all(progress))


def print_table(rows: dict[str, Row]) -> None:
    heads = ("polls", "learned s", "fixed s", "backoff s", "best s", "to fixed", "to best")
    print(f"{'':<38}" + "".join(f"{head:>11}" for head in heads))
    for name, row in rows.items():
        cells: Sequence[float | None] = (
            *(row.polls, row.learned, row.fixed, row.backoff, row.best),
            *(row.to_fixed, row.to_best),
        )
        print(f"{name:<38}" + "".join("          –" if c is None else f"{c:>11.2f}" for c in cells))


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    rows = compare_all(lambda line: print(line, file=sys.stderr))
    print_table(rows)
    found = figures(rows)
    print()
    for name, value in found.items():
        print(f"{name:<38}{value:>11.3f}")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
