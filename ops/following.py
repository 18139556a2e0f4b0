"""One generation followed in a terminal: a line for each thing that happens, a bar below them.

What is shown comes from native records, whoever reads them: a gateway's caller or an operator.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from generations.lifecycle import Status, is_finished
from ops.story import Entry, Json, Story, instant

#: The native record, at once the first time, and then when it may have changed.
Look = Callable[[], Awaitable[Json]]
#: Seconds between two steps of the bar.
TICK: Final = 0.25
#: An estimate may be wrong, so the bar is full only at the end.
NEARLY: Final = 0.97
BAR_WIDTH: Final = 28
STYLES: Final = {Status.SUCCEEDED: "bold green", Status.FAILED: "bold red"}


class Audience(Protocol):
    """Who is told what a look has seen."""

    def see(self, record: Json) -> None:
        """Something may have changed."""


async def follow(look: Look, audience: Audience) -> Json:
    """Tell the audience of a generation until it has ended; its last record."""
    while True:
        record = await look()
        audience.see(record)
        if is_finished(Status(record["status"])):
            return record


class JsonLines:
    """For scripts: the record on a line of its own, each time that it has changed."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._last: Json | None = None

    def see(self, record: Json) -> None:
        if record != self._last:
            self._last = record
            self._write(json.dumps(record, ensure_ascii=False))


class Screen:
    """For a person: lines as things happen, and on a terminal how far it is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._story = Story()
        self._record: Json = {}
        self._bar: TaskID | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_WIDTH, complete_style="cyan", pulse_style="bright_black"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", style="dim"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    async def follow(self, look: Look) -> Json:
        """Show a generation until it has ended; its last record."""
        with self._progress:
            ticking = asyncio.create_task(self._tick())
            try:
                return await follow(look, self)
            finally:
                ticking.cancel()

    def see(self, record: Json) -> None:
        if not self._record:
            self._bar = self._progress.add_task("", total=None, left="")
        self._record = record
        for entry in self._story.observe(record, (), datetime.now(UTC)):
            self._tell(entry)
        self._draw()

    def _tell(self, entry: Entry) -> None:
        style = STYLES.get(Status(self._record["status"]), "")
        line = Text.assemble((f"  {entry.seconds:7.2f} s  ", "dim"), (entry.text, style))
        self._console.print(line, soft_wrap=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._draw()

    def _draw(self) -> None:
        if self._bar is None:
            return
        done, left = progress_of(self._record, datetime.now(UTC))
        doing = str(self._record["status"]).replace("_", " ")
        total = None if done is None else 1.0
        self._progress.update(
            self._bar, description=doing, total=total, completed=done or 0, left=left
        )


async def show_until_ended(look: Look, console: Console, *, as_json: bool) -> Json:
    """Follow for a script or for a person; the last record."""
    if as_json:
        return await follow(look, JsonLines(lambda line: print(line, flush=True)))  # noqa: T201
    record = await Screen(console).follow(look)
    print_end(record, console)
    return record


def progress_of(record: Json, now: datetime) -> tuple[float | None, str]:
    """How far it is, from 0 to 1 (None where nobody can tell), and what is said of the rest."""
    if (place := record.get("queue_position")) is not None:
        return None, f"place {place} in the queue"
    estimate = record.get("estimated_finish_at")
    if estimate is None:
        return None, ""
    began, end = instant(record["created_at"]), instant(estimate)
    left = (end - now).total_seconds()
    done = (now - began) / max(end - began, (now - began) / NEARLY)
    return min(done, NEARLY), f"about {left:.0f} s left" if left >= 1 else "any moment now"


def print_end(record: Json, console: Console) -> None:
    """What came of it."""
    console.print()
    for name, said in _facts(record):
        console.print(Text.assemble((f"  {name:<9}", "dim"), said), soft_wrap=True)


def _facts(record: Json) -> list[tuple[str, str]]:
    output, error = record.get("output"), record.get("error")
    facts = [("output", url) for url in urls_of(output)]
    if not facts and output is not None:
        facts.append(("output", json.dumps(output, ensure_ascii=False)))
    if error:
        facts.append(("error", f"{error['code']}: {error['message']}"))
    if record.get("cost") is not None:
        facts.append(("cost", f"{record['cost']:.4f} USD"))
    return facts


def urls_of(output: object) -> list[str]:
    """Every URL in an output, each once."""
    if isinstance(output, str):
        return [output] if output.startswith(("https://", "http://")) else []
    if not isinstance(output, dict | list):
        return []
    parts = output.values() if isinstance(output, dict) else output
    return list(dict.fromkeys(url for part in parts for url in urls_of(part)))
