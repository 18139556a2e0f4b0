"""When to look, over the time that something has taken already. Pure; seconds are floats.

With a hazard (the chance to end now, given that it has not ended yet), the gaps that let an
end wait the least for a given number of looks are proportional to 1/√hazard. That holds where
the hazard hardly changes from one look to the next, and so it only lays the grid: where on it
the looks belong is planned backwards from the end, once for each rhythm.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

SHORTEST_GAP: Final = 0.5
#: The longest gap is half of the usual time, within these: what outlives all that is known is
#: looked at all the same.
LEAST_LONGEST_GAP: Final = 60.0
MOST_LONGEST_GAP: Final = 600.0

#: Points of the plan for each look: a look can be moved by a sixth of a gap.
FINE: Final = 6
#: How far a plan may skip, in looks.
REACH: Final = 3
#: Rounds in which the price of a look is brought to that of the number wanted.
ROUNDS: Final = 3
#: The resolution of what is known, in logarithms: 2.5 %.
WIDTH: Final = 0.025
#: What is planned for, in times the longest that is known.
BEYOND: Final = 8.0
#: Beyond the plan, the gap is this part of the time that has passed.
UNPLANNED: Final = 0.25
#: What has outlived all that is known is looked at so often at least, or every half of the usual
#: time where that is longer: most likely it was held up, and ends any moment.
OVERDUE_GAP: Final = 10.0
#: How many spans' weight it has that something outlives all of them.
UNHEARD_OF: Final = 0.5

#: It took longer than this, and no longer than that; and how much that counts.
Span = tuple[float, float, float]


class Rhythm:
    """The plan for what takes a time that is known about."""

    __slots__ = ("_counts", "_left", "_longest", "_overdue", "_plan", "_times")

    def __init__(self, times: list[float], left: list[float], *, looks: float) -> None:
        """``left[i]`` is the part that takes longer than ``times[i]``, which grow from 0."""
        self._times, self._left = times, left
        usual = self.typical(0.0) / 2
        self._longest = min(max(usual, LEAST_LONGEST_GAP), MOST_LONGEST_GAP)
        self._overdue = min(max(usual, OVERDUE_GAP), MOST_LONGEST_GAP)
        roots, total = [0.0], 0.0
        for (start, end), (before, after) in zip(pairwise(times), pairwise(left), strict=True):
            root = math.sqrt(math.log(before / after) * (end - start))
            total += root * (before + after) / 2
            roots.append(root)
        scale = total / (looks - 0.5)
        #: How many looks are due until each time, where gaps are proportional to 1/√hazard.
        self._counts = [count / scale for count in accumulate(roots)]
        self._plan = _planned(times, left, self._counts, price=scale**2 / 2, looks=looks)

    def gap(self, elapsed: float, *, looks: float = 1.0) -> float:
        """Seconds until the next look, or until a little less or more than one is due."""
        longest = self._longest if elapsed * BEYOND <= self._times[-1] else self._overdue
        if elapsed < self._times[-1]:
            count = _at(elapsed, self._times, self._counts)
            point = round(count * FINE)
            if point < len(self._plan):
                due = count + (self._plan[point] / FINE - count) * looks
                wait = _at(due, self._counts, self._times) - elapsed
                return min(max(wait, SHORTEST_GAP), longest)
        return min(max(elapsed * UNPLANNED * looks, SHORTEST_GAP), longest)

    def typical(self, elapsed: float) -> float:
        """The time by which half of those will have ended that have not ended by now."""
        half = _at(max(elapsed, 0.0), self._times, self._left) / 2
        if elapsed >= self._times[-1] or half <= self._left[-1]:
            return max(elapsed, self._times[-1]) * 2
        return self._times[bisect_right(self._left, -half, key=lambda left: -left)]


def rhythm_of(spans: Sequence[Span], *, looks: float) -> Rhythm:
    """The rhythm for what took these spans (at least one), at so many looks on average."""
    total = sum(weight for *_, weight in spans)
    lowest = min(least for least, _, _ in spans)
    highest = max(most for _, most, _ in spans)
    first = math.log(max(lowest, SHORTEST_GAP / 10)) - 0.5
    points = math.ceil((math.log(highest * BEYOND) - first) / WIDTH)
    times = [0.0, *(math.exp(first + WIDTH * n) for n in range(points + 1))]
    raw = _masses(spans, times, total)
    wide = _bandwidth(raw, total**2 / sum(weight**2 for *_, weight in spans))
    return Rhythm(times, _left(times, _blurred(raw, wide), total), looks=looks)


def _left(times: Sequence[float], masses: Sequence[float], total: float) -> list[float]:
    """What has not ended by each time; a few, of what is usual at least, take any time."""
    ended = list(accumulate(masses, initial=0.0))
    usual = times[min(bisect_right(ended, 0.5), len(times) - 1)]
    unheard = UNHEARD_OF / (UNHEARD_OF + total)
    return [
        max(1 - part, 0.0) * (1 - unheard) + unheard * usual / max(time, usual)
        for time, part in zip(times, ended, strict=True)
    ]


def _masses(spans: Sequence[Span], edges: Sequence[float], total: float) -> list[float]:
    """How much of the spans, each spread evenly, lies between each two edges; 1 in all."""
    bends: list[tuple[float, float]] = []
    for least, most, weight in spans:
        slope = weight / total / (most - least)
        bends += [(least, slope), (most, -slope)]
    bends.sort()
    masses, slope, at, coming = [], 0.0, 0.0, 0
    for edge in edges[1:]:
        mass = 0.0
        while coming < len(bends) and bends[coming][0] <= edge:
            where, bend = bends[coming]
            mass += slope * (where - at)
            at, slope, coming = where, slope + bend, coming + 1
        masses.append(max(mass + slope * (edge - at), 0.0))
        at = edge
    return masses


def _bandwidth(masses: Sequence[float], count: float) -> float:
    """How far to blur, in steps: by the narrowest quarter, so that two humps stay two."""
    reached = list(accumulate(masses))
    narrowest, behind = len(masses), 0
    for ahead, height in enumerate(reached):
        while height - reached[behind] >= 0.25:
            narrowest = min(narrowest, ahead - behind)
            behind += 1
    # Silverman's rule; the narrowest quarter of a bell is 0.637 of its deviation.
    return float(0.9 * narrowest / 0.637 * count**-0.2)


def _blurred(masses: list[float], bandwidth: float) -> list[float]:
    """As by a bell of that width: three boxes make one."""
    reach = max(round((math.sqrt(4 * bandwidth**2 + 1) - 1) / 2), 1)
    last = len(masses)
    for _ in range(3):
        sums = list(accumulate(masses, initial=0.0))
        masses = [sums[min(n + reach + 1, last)] - sums[max(n - reach, 0)] for n in range(last)]
    total = sum(masses)
    return [mass / total for mass in masses]


def _planned(
    times: Sequence[float],
    left: Sequence[float],
    counts: Sequence[float],
    *,
    price: float,
    looks: float,
) -> list[int]:
    """The point of the next look for each point, where a look costs seconds of waiting."""
    points = math.floor(counts[-1] * FINE)
    at = [_at(point / FINE, counts, times) for point in range(points + 1)]
    left_at = [_at(time, times, left) for time in at]
    lived = [0.0]
    for (start, end), (before, after) in zip(pairwise(times), pairwise(left), strict=True):
        lived.append(lived[-1] + (start + end) / 2 * (before - after))
    lived_at = [_at(time, times, lived) for time in at]
    plan: list[int] = []
    for _ in range(ROUNDS):
        plan, taken = _cheapest(at, left_at, lived_at, price)
        if taken <= 0.5:
            break  # Hardly anything to plan.
        price *= ((taken - 0.5) / (looks - 0.5)) ** 2
    return plan


def _cheapest(
    at: Sequence[float], left: Sequence[float], lived: Sequence[float], price: float
) -> tuple[list[int], float]:
    """The plan with the least waiting and looking together, and how many looks it takes."""
    last = len(at) - 1
    plan, cost, taken = [last] * last, [0.0] * (last + 1), [0.0] * (last + 1)
    for now in range(last - 1, -1, -1):
        alive, best = left[now], math.inf
        for then in range(now + 1, min(now + REACH * FINE, last) + 1):
            # Whoever ends on the way waits until then; the others are looked at again.
            waiting = at[then] * (alive - left[then]) - lived[then] + cost[then]
            if waiting < best:
                best, plan[now] = waiting, then
        cost[now] = best + lived[now] + price * alive
        taken[now] = alive + taken[plan[now]]
    return plan, taken[0]


def _at(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """The height at ``x`` of the line through points; flat before and after it."""
    above = bisect_right(xs, x)
    if above == 0:
        return ys[0]
    if above == len(xs):
        return ys[-1]
    low = xs[above - 1]
    return ys[above - 1] + (ys[above] - ys[above - 1]) * (x - low) / (xs[above] - low)
