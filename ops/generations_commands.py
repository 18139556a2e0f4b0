"""``darkroom generations``: look at generations and cancel them, from the store itself."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from generations.lifecycle import Status
from ops.endings import ending_in_sentences

if TYPE_CHECKING:
    from api_gateway.cancelling import Cancelled
    from api_gateway.parts import Parts
    from ops.showing import Shown

_R = TypeVar("_R")

app = typer.Typer(help="Look at generations and cancel them.", no_args_is_help=True)

FolderOption = Annotated[Path, typer.Option(help="Of a running 'darkroom up'.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="gen_…")]
FOLDER = Path(".darkroom")


@app.command("list")
def list_generations(
    *,
    origin: Annotated[str | None, typer.Option(help="Only this origin's.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """List generations, the newest first."""

    async def found(parts: "Parts") -> "list[Shown]":
        from ops.showing import find_newest

        return await find_newest(parts, origin=origin, status=status, limit=limit)

    shown = _with_parts(folder, found)
    if as_json:
        _print_json({"generations": [one.as_json() for one in shown]})
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

    shown = _with_parts(folder, found)
    if as_json:
        _print_json(shown.as_json())
        return
    from ops.showing import print_generation

    print_generation(shown)


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

    result = _with_parts(folder, cancelled)
    status, outcome = result.generation.status, result.outcome
    if as_json:
        _print_json({"id": generation_id, "status": status, "outcome": outcome})
    else:
        typer.echo(f"{generation_id}: {outcome}; it is {status} now.")


def _with_parts(folder: Path, work: "Callable[[Parts], Awaitable[_R]]") -> _R:
    import asyncio

    from ops.local.folder import Folder

    with ending_in_sentences():
        return asyncio.run(_run(Folder(folder).redis_url(), work))


async def _run(redis_url: str, work: "Callable[[Parts], Awaitable[_R]]") -> _R:
    """Work with what a gateway has, and as it does."""
    from api_gateway.parts import Parts
    from generations.connection import connect
    from generations.logs import configure_logs
    from generations.origins import OriginStore
    from generations.settings import GatewaySettings
    from generations.store import GenerationStore

    # On standard error, and only what a person must know: the command says the rest.
    configure_logs("WARNING")
    settings = GatewaySettings()
    redis = connect(redis_url, max_connections=4)
    store = GenerationStore(redis, deadline=settings.deadline, keep=settings.keep)
    try:
        return await work(Parts(settings, store, OriginStore(redis)))
    finally:
        await redis.aclose()


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
