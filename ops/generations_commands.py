"""``darkroom generations``: look at generations and cancel them, from the store itself."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from generations.lifecycle import Status
from ops.endings import ending_in_sentences
from ops.submit_command import read_pairs

if TYPE_CHECKING:
    from api_gateway.cancelling import Cancelled
    from api_gateway.parts import Parts
    from generations.settings import GatewaySettings
    from ops.showing import Shown
    from ops.story import Json

_R = TypeVar("_R")

app = typer.Typer(
    help="Look at generations, cancel them, settle uncertain ones.", no_args_is_help=True
)

FolderOption = Annotated[Path, typer.Option(help="Of a running 'darkroom up'.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="gen_…")]
FOLDER = Path(".darkroom")


@app.command("list")
def list_generations(  # noqa: PLR0913  # Each is an option of the command.
    *,
    origin: Annotated[str | None, typer.Option(help="Only this origin's.")] = None,
    status: Annotated[
        list[Status] | None, typer.Option(help="Only those in this status; may be repeated.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="Only those noted so; may be repeated."),
    ] = None,
    set_aside: Annotated[
        bool,
        typer.Option(
            "--set-aside", help="Only those that broke their workers, or whose callbacks did."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """List generations, the newest first."""
    noted = read_pairs(metadata or [])

    async def found(parts: "Parts") -> "list[Shown]":
        from generations.selection import Filter
        from ops.showing import find_newest

        wanted = Filter(
            statuses=frozenset(status or ()),
            model_id=model,
            metadata=noted,
            is_set_aside=set_aside,
        )
        return await find_newest(parts, wanted, origin=origin, limit=limit)

    shown = with_parts(folder, found)
    if as_json:
        print_json({"generations": [one.as_json() for one in shown]})
        return
    from ops.showing import print_table

    print_table(shown)


@app.command()
def show(
    generation_id: IdArgument, folder: FolderOption = FOLDER, as_json: JsonOption = False
) -> None:
    """Show one generation: its timeline, its output, its callbacks."""

    async def found(parts: "Parts") -> "Shown":
        from ops.showing import find_one

        return await find_one(parts, generation_id)

    shown = with_parts(folder, found)
    if as_json:
        print_json(shown.as_json())
        return
    from ops.showing import print_generation

    print_generation(shown)


@app.command()
def watch(
    generation_id: IdArgument,
    folder: FolderOption = FOLDER,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record, on a line each time it changes.")
    ] = False,
) -> None:
    """Follow one generation until it has ended; exit code 1 where it does not succeed."""

    async def watched(parts: "Parts") -> "Json":
        from rich.console import Console

        from ops.following import show_until_ended
        from ops.watching import looking_at

        with looking_at(generation_id, parts) as look:
            return await show_until_ended(look, Console(highlight=False), as_json=as_json)

    record = with_parts(folder, watched)
    if record["status"] != Status.SUCCEEDED:
        raise typer.Exit(1)


@app.command()
def cancel(
    generation_id: IdArgument, folder: FolderOption = FOLDER, as_json: JsonOption = False
) -> None:
    """Cancel one generation, and say whether it took effect.

    RunComfy cancels what waits in its queue; what already runs, runs on.
    """

    async def cancelled(parts: "Parts") -> "Cancelled":
        from api_gateway.cancelling import cancel_once

        return await cancel_once(await parts.store.find(generation_id), parts)

    result = with_parts(folder, cancelled)
    status, outcome = result.generation.status, result.outcome
    if as_json:
        print_json({"id": generation_id, "status": status, "outcome": outcome})
    else:
        typer.echo(f"{generation_id}: {outcome}; it is {status} now.")


@app.command()
def resubmit(
    generation_id: IdArgument, folder: FolderOption = FOLDER, as_json: JsonOption = False
) -> None:
    """Submit an uncertain generation once more; if RunComfy had accepted it, that is paid twice."""

    async def resubmitted(parts: "Parts") -> bool:
        return await parts.store.resubmit(await parts.store.find(generation_id))

    _tell_reopened(
        generation_id,
        done=with_parts(folder, resubmitted),
        otherwise="has not failed with submission_uncertain",
        as_json=as_json,
    )


@app.command()
def adopt(
    generation_id: IdArgument,
    runcomfy_request_id: Annotated[str, typer.Argument(help="RunComfy's id for what it accepted.")],
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Go on with a request that RunComfy has: its answer was lost, or it was given up too early."""

    async def adopted(parts: "Parts") -> bool:
        generation = await parts.store.find(generation_id)
        return await parts.store.adopt(generation, runcomfy_request_id)

    _tell_reopened(
        generation_id,
        done=with_parts(folder, adopted),
        otherwise="has not failed with submission_uncertain, result_unavailable or internal",
        as_json=as_json,
    )


def _tell_reopened(generation_id: str, *, done: bool, otherwise: str, as_json: bool) -> None:
    if as_json:
        print_json({"id": generation_id, "reopened": done})
    elif done:
        typer.echo(f"{generation_id} goes on; its origin is told when it has finished.")
    else:
        typer.echo(f"{generation_id} {otherwise}; nothing changed.")
    if not done:
        raise typer.Exit(1)


def with_parts(folder: Path, work: "Callable[[Parts], Awaitable[_R]]") -> _R:
    """What work with a gateway's parts comes to; where it cannot be done, a sentence and code 1."""
    import asyncio

    from generations.settings import GatewaySettings
    from ops.local.folder import Folder, beside

    with ending_in_sentences():
        return asyncio.run(_run(beside(GatewaySettings(), Folder(folder)), work))


async def _run(settings: "GatewaySettings", work: "Callable[[Parts], Awaitable[_R]]") -> _R:
    """Work with what a gateway has, and as it does."""
    from api_gateway.parts import Parts
    from generations.connection import connect
    from generations.logs import configure_logs

    # What a person is to know stands in the command's own sentences.
    configure_logs("ERROR")
    redis = connect(settings.redis_url.get_secret_value(), max_connections=4)
    try:
        parts = Parts.over(redis, settings)
        async with parts.moves.heard():
            return await work(parts)
    finally:
        await redis.aclose()


def print_json(value: Any) -> None:
    """As ``--json`` prints it."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
