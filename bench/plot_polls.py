"""Draws the README's plot of polls from ``build/bench.json``: ``python -m bench.plot_polls``."""

import json
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "darkroom"  # The same figures give the same file.

from matplotlib import pyplot as plt  # noqa: E402  # The backend has to be chosen before.

REPORT: Final = Path("build/bench.json")
DRAWN: Final = Path("bench/plots/polls.svg")
#: In the report, and what the bar is called.
BARS: Final = {
    "polls_bare_client_per_cpu_s": "bare HTTP client",
    "polls_per_cpu_s": "Darkroom",
    "polls_countdown_threads_per_cpu_s": "countdown, threads",
    "polls_countdown_prefork_per_cpu_s": "countdown, prefork",
    "polls_countdown_gevent_per_cpu_s": "countdown, gevent",
}


def draw(report: dict[str, Any], to: Path) -> None:
    """Polls per CPU-second of each, as bars."""
    names, values = list(BARS.values()), [report[name] for name in BARS]
    colours = ["#e5484d" if name == "Darkroom" else "#8b8d98" for name in names]
    figure, axes = plt.subplots(figsize=(6.4, 2.4))
    bars = axes.barh(names[::-1], values[::-1], color=colours[::-1], height=0.6)
    axes.bar_label(bars, fmt="{:,.0f}", padding=4)
    axes.set_title("polls per CPU-second of the worker", loc="left", fontsize=10)
    axes.margins(x=0.15)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelbottom=False)
    figure.tight_layout()
    figure.savefig(to, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads(REPORT.read_text()), DRAWN)
    print(DRAWN)
