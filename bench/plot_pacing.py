"""Draw ``bench/plots/pacing.svg``: pacing beside other schedules, at equal polls."""

import sys
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.pacing import LOG_NORMAL, TRACES, Row, compare_all, drawn
from generations.durations import LOOKS, Ran, pace_of

TARGET: Final = Path("bench/plots/pacing.svg")
SHOWN: Final = (*LOG_NORMAL, "two humps", "twice as slow and back", "drifting", "queue, then run")
LEARNED, FIXED, BACKOFF = "#d9480f", "#495057", "#adb5bd"


def draw(rows: dict[str, Row]) -> None:
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "darkroom", "font.size": 9})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    _draw_looks(left)
    _draw_waits(right, rows)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, metadata={"Date": None})


def _draw_looks(axes: Any) -> None:
    """The looks at one long generation, over the times that those before it took."""
    trace = TRACES[LOG_NORMAL[1]]
    ran = drawn(trace, 200, 1)[1].tolist()
    rhythm = pace_of([Ran(0, time, time) for time in ran], []).running
    assert rhythm is not None
    looks, elapsed = [], 0.0
    while elapsed < max(ran):
        elapsed += rhythm.gap(elapsed)
        looks.append(elapsed)
    gap = 4 * sum(ran) / len(ran) / (4 * LOOKS - 2)
    axes.hist(ran, bins=30, color="#ffd8a8")
    axes.eventplot([looks], lineoffsets=-2, linelengths=3, colors=LEARNED)
    ticks = [gap * n for n in range(1, int(max(ran) / gap) + 2)]
    axes.eventplot([ticks], lineoffsets=-6, linelengths=3, colors=FIXED)
    axes.set_title(f"When it looks: a model of a minute, {LOOKS} polls on average")
    axes.set_yticks([-2, -6], ["learned", "fixed"])
    axes.set_xlabel("seconds since the submission; bars: how long earlier ones took")


def _draw_waits(axes: Any, rows: dict[str, Row]) -> None:
    places = range(len(SHOWN))
    kinds = (("learned", LEARNED, -0.26), ("fixed", FIXED, 0.0), ("backoff", BACKOFF, 0.26))
    for kind, colour, shift in kinds:
        waits = [getattr(rows[name], kind) for name in SHOWN]
        axes.barh([p + shift for p in places], waits, 0.24, color=colour, label=kind)
    known = [(p, rows[name].best) for p, name in enumerate(SHOWN) if rows[name].best]
    axes.plot(
        [b for _, b in known], [p - 0.26 for p, _ in known], "k|", ms=9, label="best possible"
    )
    axes.set_yticks(list(places), SHOWN)
    axes.invert_yaxis()
    axes.set_xlabel("seconds until an end is seen, at equal polls")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4, frameon=False)


if __name__ == "__main__":
    draw(compare_all(lambda line: print(line, file=sys.stderr)))
