"""The demo on a terminal: lines as things happen, and below them how far it is.

Elsewhere (a file, a pipe) there are the lines alone, one for each change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ops.demo.verdict import Facts, Timings
from ops.local.parts import Part
from ops.local.ports import TakenPort
from ops.story import Entry, Step

LABEL_WIDTH: Final = 20
STYLES: Final = {Step.SUCCEEDED: "bold green", Step.ATTEMPTED: "green", Step.VERIFIED: "bold green"}


class Screen:
    """Shows a demo; also told by the stack what becomes of its parts."""

    def __init__(self) -> None:
        self.ready_parts: list[str] = []
        self._console = Console(highlight=False, soft_wrap=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28, complete_style="cyan", pulse_style="bright_black"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bar: TaskID | None = None

    def say(self, text: str | Text = "") -> None:
        """A line."""
        self._console.print(text, markup=False)

    @contextmanager
    def busy(self, doing: str, *, steps: int | None = None) -> Iterator[None]:
        """Show below the lines that something goes on."""
        with self._progress:
            self._bar = self._progress.add_task(doing, total=steps)
            try:
                yield
            finally:
                self._progress.remove_task(self._bar)
                self._bar = None

    def tell(self, entry: Entry) -> None:
        """A line of the story."""
        style = STYLES.get(entry.step, "") if entry.step else "red"
        self.say(Text.assemble((f"  {entry.seconds:7.2f} s  ", "dim"), (entry.text, style)))
        if self._bar is not None and entry.step is not None:
            reached = list(Step).index(entry.step) + 1
            self._progress.update(self._bar, completed=reached, description=entry.text)

    def ready(self, part: Part, seconds: float) -> None:  # noqa: ARG002  # An audience's.
        self.ready_parts.append(part.name)
        if self._bar is not None:
            self._progress.update(self._bar, advance=1, description=f"{part.name} is ready")

    def died(self, part: Part, ending: str, wait: float) -> None:
        self.say(Text(f"{part.name} {ending}; it is started again in {wait:g} s", style="red"))

    def port_taken(self, taken: TakenPort) -> None:
        """Nobody waits for one of the demo's ports."""

    def summarise(self, facts: Facts, took: Timings) -> None:
        """What came of it, in numbers."""
        output = facts.output
        kinds = facts.tasks_by_name
        tasks = " · ".join(f"{name.partition('.')[2]} {kinds[name]}" for name in sorted(kinds))
        self.say()
        if output is not None:
            self._fact("output", output.url)
            self._fact("", f"{output.content_type}, {len(output.content) / 1024:.0f} KiB")
        self._fact("polls", str(facts.record["polls"]))
        self._fact("tasks in Flower", tasks)
        self._fact("callback attempts", str(len(facts.attempts)))
        self._fact("paid submissions", str(len(facts.ledger)))
        self._fact("accept → submitted", _seconds(took.to_submitted))
        self._fact("accept → succeeded", _seconds(took.to_end))
        self._fact("end → callback", _seconds(took.end_to_callback))
        self.say()

    def _fact(self, label: str, said: str) -> None:
        self.say(Text.assemble((f"  {label:<{LABEL_WIDTH}}", "dim"), said))


def _seconds(wait: float | None) -> str:
    return "–" if wait is None else f"{wait:.2f} s"
