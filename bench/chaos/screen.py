"""What a person sees: the figures while they grow, and the table at the end."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Final

import httpx
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from bench.chaos.run import Outcome, Run

#: Seconds between two looks, and between two lines where there is no terminal.
INTERVAL: Final = 0.5
LINE_INTERVAL: Final = 15.0

#: What must be 0.
PROMISES: Final = ("lost", "paid_twice", "callbacks_missing", "callbacks_unverified")
SHOWN: Final = (
    "accepted",
    "finished",
    *PROMISES,
    "succeeded",
    "failed",
    "uncertain",
    "uncertain_paid",
    "callbacks_duplicate",
    "client_retries",
    "gateway_broke",
    "replays",
    "kills",
    "redis_kills",
    "longest_stall_s",
    "drain_s",
    "seconds",
    "machine",
)


class Screen:
    """Shows a run on a console: in place on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def watch(self, run: Run) -> None:
        """Show how far a run is, until cancelled."""
        began = time.monotonic()
        if not self._console.is_terminal:
            await self._write_lines(run, began)
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while True:
                live.update(_table(await _progress(run, began)), refresh=True)
                await asyncio.sleep(INTERVAL)

    async def _write_lines(self, run: Run, began: float) -> None:
        while True:
            rows = await _progress(run, began)
            line = ", ".join(f"{name} {value}" for name, value in rows)
            self._console.print(line, soft_wrap=True, highlight=False)
            await asyncio.sleep(LINE_INTERVAL)

    def conclude(self, outcome: Outcome) -> None:
        """Show what a run came to."""
        figures = outcome.as_json()
        self._console.print(_table((name, str(figures[name])) for name in SHOWN))
        deaths = ", ".join(f"{what}: {count}" for what, count in figures["deaths"].items())
        self._console.print(f"Endings: {deaths}", highlight=False)
        said = "Every promise was kept." if outcome.is_clean else "A promise was broken."
        self._console.print(said, style="bold green" if outcome.is_clean else "bold red")


async def _progress(run: Run, began: float) -> list[tuple[str, str]]:
    paid = "?"
    with contextlib.suppress(httpx.HTTPError):
        paid = str(await run.records.paid())
    return [
        (run.step, f"{time.monotonic() - began:.0f} s"),
        ("accepted", f"{run.origin.accepted} of {run.settings.n}"),
        ("paid", paid),
        ("told", str(len(run.receiver.told))),
        ("ended, as far as looked at", str(run.records.ended)),
        ("retries", str(run.origin.retries)),
        ("kills", str(run.killer.kills)),
        ("redis kills", str(run.killer.redis_kills)),
    ]


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="cyan")
    table.add_column(justify="right")
    for name, value in rows:
        wrong = name in PROMISES and value != "0"
        table.add_row(name, value, style="bold red" if wrong else None)
    return table
