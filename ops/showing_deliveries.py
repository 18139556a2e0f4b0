"""Deliveries as people read them in a terminal, and as ``--json`` prints them."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api_gateway.schemas import DeliveryBody
from generations.lifecycle import DeliveryStatus
from generations.model import Attempt, Delivery
from ops.showing import NO_EDGE

STYLES: Final = {
    DeliveryStatus.PENDING: "yellow",
    DeliveryStatus.DELIVERED: "green",
    DeliveryStatus.EXHAUSTED: "red",
    DeliveryStatus.SUPERSEDED: "dim",
}
#: Of an answer, the characters that a person is shown.
ANSWER_SHOWN: Final = 400


def as_json(delivery: Delivery) -> dict[str, Any]:
    """As the API has it, with the origin's name in front."""
    body = DeliveryBody.model_validate(delivery).model_dump(mode="json", by_alias=True)
    return {"origin": delivery.origin, **body}


def print_table(deliveries: list[Delivery]) -> None:
    """One line a delivery."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("id", "status", "event", "happened", "attempts", "last", "origin", "endpoint"):
        table.add_column(column, no_wrap=True)
    for one in deliveries:
        table.add_row(*_row(one))
    console = Console()
    if not console.is_terminal:
        console.width = NO_EDGE
    console.print(table if deliveries else "No deliveries.")


def _row(one: Delivery) -> Iterator[str | Text]:
    yield one.id
    yield Text(one.status, style=STYLES[one.status])
    yield one.event_type
    yield f"{one.created_at:%m-%d %H:%M:%S}"
    yield str(one.attempts_made)
    yield str(one.attempts[-1].status_code or "no answer") if one.attempts else ""
    yield one.origin
    # What a caller wrote is text, whatever brackets it has.
    yield Text(one.endpoint)


def print_delivery(one: Delivery) -> None:
    """A delivery: what it tells whom, and each attempt with its answer."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(one.id, style="bold"), Text(one.event_type, style="dim"))
    console.print()
    for name, said in _facts(one):
        console.print(Text.assemble((f"  {name:<13}", "dim"), said))
    for attempt in one.attempts:
        console.print()
        for line in _lines(attempt):
            console.print(line)


def _facts(one: Delivery) -> Iterator[tuple[str, str]]:
    yield "status", "set aside" if one.is_set_aside else one.status
    yield "origin", one.origin
    yield "endpoint", one.endpoint
    yield "webhook-id", one.event_id
    if one.generation_id:
        yield "generation", one.generation_id
    yield "happened", f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if one.redelivered_at:
        yield "redelivered", f"{one.redelivered_at:%Y-%m-%d %H:%M:%S} UTC"


def _lines(attempt: Attempt) -> Iterator[Text]:
    answer = str(attempt.status_code or "no answer")
    is_taken = attempt.status_code is not None and 200 <= attempt.status_code < 300
    yield Text.assemble(
        (f"  attempt {attempt.number}  ", "dim"),
        (answer, "green" if is_taken else "red"),
        (f"  {attempt.at:%m-%d %H:%M:%S}, {attempt.duration_ms} ms", "dim"),
        (f", {attempt.address}" if attempt.address else "", "dim"),
    )
    if attempt.error:
        yield Text(f"    {attempt.error}")
    for name, value in attempt.response_headers.items():
        yield Text.assemble((f"    {name}: ", "dim"), _shown(value))
    if attempt.response_body:
        yield Text(f"    {_shown(attempt.response_body)}")


def _shown(text: str) -> str:
    # An endpoint's words must not steer the terminal.
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= ANSWER_SHOWN else f"{plain[:ANSWER_SHOWN]}…"
