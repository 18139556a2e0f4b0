"""Schedules that pacing is compared with: tuned, or computed, to a mean number of polls."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fixed(taken: Floats, polls: float) -> float:
    """Seconds that an end waits on average with one interval for all."""

    def run(gap: float) -> tuple[float, float]:
        counts = np.ceil(taken / gap)
        return float(counts.mean()), float((counts * gap - taken).mean())

    return _at_polls(run, polls, low=0.01, high=float(taken.max()))


def backoff(taken: Floats, polls: float) -> float:
    """The same where each gap is a quarter longer than the one before, without a limit."""
    growth = 1.25

    def run(first: float) -> tuple[float, float]:
        steps = math.ceil(math.log1p(taken.max() * (growth - 1) / first) / math.log(growth)) + 1
        instants = first * (growth ** np.arange(1, steps + 1) - 1) / (growth - 1)
        seen = np.searchsorted(instants, taken)
        return float((seen + 1).mean()), float((instants[seen] - taken).mean())

    return _at_polls(run, polls, low=0.001, high=float(taken.max()))


def best(regimes: Sequence[Floats], polls: float, *, cells: int = 1_500) -> float:
    """The same with the best of all schedules for what is distributed as each of the samples.

    The cheapest plan is computed backwards from the end, on a grid of instants, for what a poll
    costs in seconds of waiting; that cost is tuned until the plans take as many polls together.
    Where there is more than one regime, the schedule is told which one it is in.
    """
    plans = [_Plan(taken, cells // math.ceil(len(regimes) ** 0.5)) for taken in regimes]

    def run(price: float) -> tuple[float, float]:
        polls, waits = zip(*(plan.run(price) for plan in plans), strict=True)
        return sum(polls) / len(plans), sum(waits) / len(plans)

    return _at_polls(run, polls, low=1e-3, high=1e3, rounds=20)


class _Plan:
    def __init__(self, taken: Floats, cells: int) -> None:
        self._edges = np.linspace(0, float(taken.max()) * 1.001, cells + 1)
        part = np.histogram(taken, self._edges)[0] / len(taken)
        moment = np.histogram(taken, self._edges, weights=taken)[0] / len(taken)
        self._ended = np.concatenate([[0.0], np.cumsum(part)])
        self._lived = np.concatenate([[0.0], np.cumsum(moment)])

    def run(self, price: float) -> tuple[float, float]:
        """Polls, and seconds that an end waits, of the cheapest plan."""
        edges, ended, lived = self._edges, self._ended, self._lived
        cost, count, wait = (np.zeros(len(edges)) for _ in range(3))
        for now in range(len(edges) - 2, -1, -1):
            alive = 1.0 - ended[now]
            late = edges[now + 1 :] * (ended[now + 1 :] - ended[now])
            late -= lived[now + 1 :] - lived[now]
            choices = price * alive + late + cost[now + 1 :]
            then = int(np.argmin(choices))
            cost[now] = choices[then]
            count[now] = alive + count[now + 1 + then]
            wait[now] = late[then] + wait[now + 1 + then]
        return float(count[0]), float(wait[0])


def _at_polls(
    run: Callable[[float], tuple[float, float]],
    polls: float,
    *,
    low: float,
    high: float,
    rounds: int = 40,
) -> float:
    """The wait at so many polls: on the line between the closest runs with more and with fewer."""
    more, fewer = run(low), run(high)
    for _ in range(rounds):
        middle = math.sqrt(low * high)
        found = run(middle)
        if found[0] > polls:
            low, more = middle, found
        else:
            high, fewer = middle, found
    if more[0] == fewer[0]:
        return fewer[1]
    share = (polls - fewer[0]) / (more[0] - fewer[0])
    return fewer[1] + share * (more[1] - fewer[1])
