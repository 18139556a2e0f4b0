"""Generations as people read them in a terminal, and as ``--json`` prints them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api_gateway.parts import Parts
from api_gateway.reading import estimated_ends_of, queue_positions_of
from api_gateway.schemas import GenerationBody
from generations.lifecycle import Status
from generations.model import Delivery, Generation
from generations.selection import Filter, Place

STYLES: Final = {
    Status.QUEUED: "dim",
    Status.SUBMITTING: "dim",
    Status.IN_QUEUE: "yellow",
    Status.IN_PROGRESS: "cyan",
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "magenta",
}
#: Generations that are read at a time.
PAGE: Final = 100
PROMPT_SHOWN: Final = 60
#: In a file or a pipe nothing is cut.
NO_EDGE: Final = 400


@dataclass(frozen=True, slots=True)
class Shown:
    """A generation with what is read beside it."""

    generation: Generation
    deliveries: list[Delivery]
    queue_position: int | None
    ends_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """The native record, with the origin's name in front: here nobody's is hidden."""
        body = GenerationBody.of(
            self.generation,
            deliveries=self.deliveries,
            queue_position=self.queue_position,
            ends_at=self.ends_at,
        )
        return {
            "origin": self.generation.origin,
            **body.model_dump(mode="json", by_alias=True),
        }


async def find_one(parts: Parts, generation_id: str) -> Shown:
    """One generation, whoever's it is; raises GenerationNotFound."""
    (shown,) = await _shown(parts, [await parts.store.find(generation_id)])
    return shown


async def find_newest(
    parts: Parts, wanted: Filter, *, origin: str | None, limit: int
) -> list[Shown]:
    """The newest generations first; without an origin, everybody's."""
    found: list[Shown] = []
    place: Place | None = None
    while True:
        page = await parts.listing.page(
            wanted, origin=origin, limit=min(PAGE, limit - len(found)), after=place
        )
        found += await _shown(parts, page.rows)
        place = page.next
        if place is None or len(found) == limit:
            return found


async def _shown(parts: Parts, generations: Sequence[Generation]) -> list[Shown]:
    deliveries = await parts.store.find_all_deliveries(generations)
    positions = await queue_positions_of(generations, parts.store)
    ends = await estimated_ends_of(generations, parts)
    return [Shown(*row) for row in zip(generations, deliveries, positions, ends, strict=True)]


def print_table(shown: list[Shown]) -> None:
    """One line a generation."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("id", "status", "accepted", "took", "told", "origin", "model"):
        table.add_column(column, no_wrap=True)
    for one in shown:
        table.add_row(*_row(one))
    console = Console()
    if not console.is_terminal:
        console.width = NO_EDGE
    console.print(table if shown else "No generations.")


def _row(one: Shown) -> Iterator[str | Text]:
    generation = one.generation
    yield generation.id
    yield Text(generation.status, style=STYLES[generation.status])
    yield f"{generation.created_at:%m-%d %H:%M:%S}"
    yield _took(generation)
    yield ", ".join(_told(delivery) for delivery in one.deliveries)
    yield generation.origin
    yield generation.model_id


def _told(delivery: Delivery) -> str:
    return "set aside" if delivery.is_set_aside else delivery.status


def _took(generation: Generation) -> str:
    ended = generation.finished_at
    return seconds(ended - generation.created_at) if ended else ""


def seconds(wait: timedelta) -> str:
    """A duration in seconds, to the hundredth."""
    return f"{wait.total_seconds():.2f} s"


def print_generation(one: Shown) -> None:
    """A generation: what it is, what happened when, what came of it."""
    generation = one.generation
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(generation.id, style="bold"), Text(generation.model_id, style="dim"))
    if prompt := str(generation.input.get("prompt", "")):
        cut = prompt if len(prompt) <= PROMPT_SHOWN else f"{prompt[:PROMPT_SHOWN]}…"
        console.print(Text(cut, style="italic"))
    console.print()
    for at, line in _happened(one):
        after = (at - generation.created_at).total_seconds()
        console.print(Text.assemble((f"  {after:9.2f} s  ", "dim"), line))
    console.print()
    for name, said in _facts(one):
        console.print(Text.assemble((f"  {name:<13}", "dim"), said))


def _happened(one: Shown) -> list[tuple[datetime, Text]]:
    """Moves and attempts in the order of their instants."""
    lines = [
        (moment.at, Text(f"● {moment.status}", style=STYLES[moment.status]))
        for moment in one.generation.timeline
    ]
    for delivery in one.deliveries:
        for attempt in delivery.attempts:
            answer = attempt.status_code or attempt.error or "no answer"
            said = f"→ {delivery.event_type}, callback attempt {attempt.number}: {answer}"
            lines.append((attempt.at, Text(said)))
    return sorted(lines, key=lambda line: line[0])


def _facts(one: Shown) -> Iterator[tuple[str, str]]:
    generation = one.generation
    yield "status", generation.status
    yield "origin", generation.origin
    if one.queue_position is not None:
        yield "position", str(one.queue_position)
    yield "polls", str(generation.polls)
    yield "submissions", str(generation.submissions)
    for name, noted in generation.metadata.items():
        yield "metadata", f"{name}={noted}"
    if generation.cost is not None:
        yield "cost", f"{generation.cost:.4f} USD"
    if generation.error:
        yield "error", f"{generation.error.code}: {generation.error.message}"
    if generation.output is not None:
        yield "output", str(generation.output)
    for delivery in one.deliveries:
        yield "callback", f"{delivery.event_type} {_told(delivery)}, to {delivery.endpoint}"
