"""``darkroom submit``: one generation through a gateway, followed until it has ended."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.endings import ending_in_sentences

if TYPE_CHECKING:
    from ops.story import Json

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="RunComfy's model id.")]
InputOption = Annotated[
    str,
    typer.Option(
        "--input", metavar="JSON", help="The model's input: JSON, @FILE, or - for standard input."
    ),
]


def submit(  # noqa: PLR0913  # Each is an option of the command.
    model: ModelArgument,
    *,
    given: InputOption,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Called at the end.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="Noted on it; may be repeated."),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(help="-10 to 10: whose turn it is first among the origin's own."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Given twice, it creates one generation.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Follow it until it has ended.")] = True,
    folder: Annotated[Path, typer.Option(help="Of a running 'darkroom up'.")] = Path(".darkroom"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record, on a line each time it changes.")
    ] = False,
) -> None:
    """Submit a generation and follow it; exit code 1 where it does not succeed.

    Asks the gateway of DARKROOM_GATEWAY_URL with DARKROOM_API_KEY, or that of a running 'up'.
    """
    import asyncio

    asked: dict[str, Any] = {"model": model, "input": _read_input(given)}
    if webhook:
        asked["webhook"] = webhook
    if metadata:
        asked["metadata"] = read_pairs(metadata)
    if priority is not None:
        asked["priority"] = priority
    with ending_in_sentences():
        record = asyncio.run(_run(folder, asked, idempotency_key, wait=wait, as_json=as_json))
    if wait and record["status"] != "succeeded":
        raise typer.Exit(1)


def read_pairs(pairs: list[str]) -> dict[str, str]:
    """NAME=TEXT, for each name once."""
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise typer.BadParameter(f"{wrong[0]} is not NAME=TEXT.", param_hint="--metadata")
    return dict(pair.split("=", 1) for pair in pairs)


def _read_input(given: str) -> Any:
    try:
        if given == "-":
            return json.load(sys.stdin)
        return json.loads(Path(given[1:]).read_text() if given.startswith("@") else given)
    except OSError as exc:
        raise typer.BadParameter(f"{given[1:]} cannot be read.", param_hint="--input") from exc
    except ValueError as exc:
        raise typer.BadParameter(f"It is no JSON: {exc}.", param_hint="--input") from exc


async def _run(
    folder: Path, asked: "Json", idempotency_key: str | None, *, wait: bool, as_json: bool
) -> "Json":
    from rich.console import Console

    from ops.following import show_until_ended
    from ops.gateway_client import GatewayClient
    from ops.local.folder import Folder

    async with GatewayClient.found(Folder(folder)) as gateway:
        record = await gateway.create(asked, idempotency_key=idempotency_key)
        if not wait:
            typer.echo(json.dumps(record, ensure_ascii=False) if as_json else record["id"])
            return record
        console = Console(highlight=False)
        if not as_json:
            console.print(record["id"], style="bold")
        return await show_until_ended(gateway.look_at(record), console, as_json=as_json)
