"""``darkroom deliveries``: what endpoints were told, and telling them again, from the store."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from generations.lifecycle import DeliveryStatus
from ops.generations_commands import FOLDER, FolderOption, JsonOption, print_json, with_parts

if TYPE_CHECKING:
    from api_gateway.parts import Parts
    from generations.model import Delivery
    from generations.selection import DeliveryFilter

app = typer.Typer(help="Look at deliveries of callbacks, tell them again.", no_args_is_help=True)


def _read_instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter("Write it as 2026-11-22T22:27:39Z.") from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)


OriginOption = Annotated[str | None, typer.Option("--origin", help="Only this origin's.")]
EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", help="Only those to URLs that begin so.")
]
AfterOption = Annotated[
    datetime | None,
    typer.Option(
        "--after", parser=_read_instant, metavar="INSTANT", help="Only of later events (UTC)."
    ),
]
BeforeOption = Annotated[
    datetime | None,
    typer.Option(
        "--before", parser=_read_instant, metavar="INSTANT", help="Only of earlier events (UTC)."
    ),
]
StatusOption = Annotated[
    list[DeliveryStatus] | None,
    typer.Option("--status", help="Only those in this status; may be repeated."),
]
_MOST_AT_ONCE: Final = 100


@app.command("list")
def list_deliveries(  # noqa: PLR0913  # Each is an option of the command.
    *,
    status: StatusOption = None,
    origin: OriginOption = None,
    endpoint: EndpointOption = None,
    generation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those of this generation, gen_….")
    ] = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, the newest first; with --status exhausted, what nobody took."""
    wanted = _filter(status, endpoint, after, before)

    async def found(parts: "Parts") -> "list[Delivery]":
        if generation is not None:
            return await _of_generation(parts, generation, wanted, origin, limit)
        return await _newest(parts, wanted, origin, limit)

    shown = with_parts(folder, found)
    if as_json:
        print_json({"deliveries": [_as_json(one) for one in shown]})
        return
    from ops.showing_deliveries import print_table

    print_table(shown)


@app.command()
def show(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="dlv_…")],
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Show one delivery: every attempt, and what the endpoint answered."""

    async def found(parts: "Parts") -> "Delivery":
        return await parts.deliveries.find(delivery_id)

    shown = with_parts(folder, found)
    if as_json:
        print_json(_as_json(shown))
        return
    from ops.showing_deliveries import print_delivery

    print_delivery(shown)


@app.command()
def redeliver(  # noqa: PLR0913  # Each is an option of the command.
    *,
    delivery_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="dlv_…")] = None,
    status: StatusOption = None,
    origin: OriginOption = None,
    endpoint: EndpointOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All exhausted ones.")] = False,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Tell deliveries again: those named, or all that match (the exhausted, unless told else).

    The receiver sees the same webhook-id. What is pending is attempted now.
    """
    said = any((status, origin, endpoint, after, before, everything))
    if bool(delivery_ids) == said:
        raise typer.BadParameter("Name deliveries, or say which are meant, or --all.")
    wanted = _filter(status or [DeliveryStatus.EXHAUSTED], endpoint, after, before)

    async def redelivered(parts: "Parts") -> list[str]:
        if delivery_ids:
            return await _named(parts, delivery_ids)
        return await _matching(parts, wanted, origin)

    ids = with_parts(folder, redelivered)
    if as_json:
        print_json({"count": len(ids), "ids": ids})
    else:
        typer.echo(f"{len(ids)} on the way again." if ids else "None matched.")


def _filter(
    status: list[DeliveryStatus] | None,
    endpoint: str | None,
    after: datetime | None,
    before: datetime | None,
) -> "DeliveryFilter":
    from generations.selection import DeliveryFilter

    return DeliveryFilter(
        statuses=frozenset(status or ()),
        endpoint=endpoint,
        created_after=after,
        created_before=before,
    )


async def _of_generation(
    parts: "Parts", generation_id: str, wanted: "DeliveryFilter", origin: str | None, limit: int
) -> "list[Delivery]":
    generation = await parts.store.find(generation_id, origin=origin)
    found = await parts.store.find_deliveries(generation)
    return [one for one in reversed(found) if wanted.means(one)][:limit]


async def _newest(
    parts: "Parts", wanted: "DeliveryFilter", origin: str | None, limit: int
) -> "list[Delivery]":
    found: list[Delivery] = []
    place = None
    while True:
        most = min(_MOST_AT_ONCE, limit - len(found))
        page = await parts.deliveries.page(wanted, origin=origin, limit=most, after=place)
        found += page.rows
        place = page.next
        if place is None or len(found) == limit:
            return found


async def _named(parts: "Parts", delivery_ids: list[str]) -> list[str]:
    from api_gateway.redelivering import redeliver_once

    # Looked for first, so that a mistyped id leaves nothing half done.
    found = [await parts.deliveries.find(one) for one in delivery_ids]
    return [(await redeliver_once(one, parts)).id for one in found]


async def _matching(parts: "Parts", wanted: "DeliveryFilter", origin: str | None) -> list[str]:
    from api_gateway.redelivering import redeliver_many

    ids: list[str] = []
    place = None
    while True:
        some = await redeliver_many(wanted, parts, origin=origin, after=place)
        ids += some.ids
        place = some.next
        if place is None:
            return ids


def _as_json(delivery: "Delivery") -> dict[str, Any]:
    from ops.showing_deliveries import as_json

    return as_json(delivery)
