"""``darkroom endpoints``: where an origin's callbacks go, and which headers they carry."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.endings import ending_in_sentences
from ops.keys_commands import FOLDER, FolderOption, JsonOption, OriginArgument, origin_name
from ops.reaching import with_redis

if TYPE_CHECKING:
    from generations.connection import Redis
    from generations.model import Endpoint

app = typer.Typer(help="Register endpoints of origins.", no_args_is_help=True)

UrlArgument = Annotated[str, typer.Argument(metavar="URL", help="Where callbacks go.")]


@app.command("set")
def set_endpoint(
    origin: OriginArgument,
    url: UrlArgument,
    *,
    default: Annotated[
        bool | None,
        typer.Option(
            help="Whether it is told of generations that name no webhook. Default: as it was.",
            show_default=False,
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:VALUE",
            help="Sent with every callback to exactly this URL; may be given again. None: those "
            "that it has.",
        ),
    ] = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Send none of its own.")] = False,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Register an endpoint, or change it. The values of headers are not shown again."""
    from generations.endpoints import EndpointSet, EndpointStore

    headers = {} if no_headers else _read_headers(header)
    _check_address(url, folder)

    async def work(redis: "Redis") -> "EndpointSet":
        store = EndpointStore(redis)
        return await store.set(origin, url, headers=headers, is_default=default)

    outcome = with_redis(folder, work)
    if outcome is not EndpointSet.SET:
        _end_unset(origin, outcome, as_json=as_json)
    _show([pair for pair in _found(folder, origin) if pair[1].url == url], as_json=as_json)


@app.command("list")
def list_endpoints(
    origin: Annotated[
        str | None, typer.Argument(callback=origin_name, help="Only this origin's.")
    ] = None,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """List endpoints with the names of their headers, never the values."""
    _show(_found(folder, origin), as_json=as_json)


@app.command()
def remove(
    origin: OriginArgument,
    url: UrlArgument,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Forget an endpoint and its headers."""
    from generations.endpoints import EndpointStore

    done = with_redis(folder, lambda redis: EndpointStore(redis).remove(origin, url))
    if as_json:
        typer.echo(json.dumps({"origin": origin, "url": url, "removed": done}))
    elif done:
        typer.echo(f"{url} is forgotten.")
    else:
        typer.echo(f"{origin} has no such endpoint; 'darkroom endpoints list' shows all.", err=True)
    if not done:
        raise typer.Exit(1)


def _read_headers(given: list[str] | None) -> dict[str, str] | None:
    from generations.endpoints import check_headers

    if not given:
        return None
    pairs = [(name.strip(), colon, value.strip()) for name, colon, value in _split(given)]
    if not all(colon for _, colon, _ in pairs):
        raise typer.BadParameter("Write a header as NAME:VALUE.", param_hint="--header")
    if len({name.lower() for name, _, _ in pairs}) < len(pairs):
        raise typer.BadParameter("Give each header once.", param_hint="--header")
    headers = {name: value for name, _, value in pairs}
    try:
        check_headers(headers)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--header") from None
    return headers


def _split(given: list[str]) -> Iterator[tuple[str, str, str]]:
    return (one.partition(":") for one in given)


def _check_address(url: str, folder: Path) -> None:
    """As a submit that names it is checked: each attempt checks it again."""
    from generations.addresses import check_webhook
    from ops.local.folder import Folder, store_settings

    with ending_in_sentences():
        check_webhook(url, store_settings(Folder(folder)).allowed)


def _found(folder: Path, only: str | None) -> "list[tuple[str, Endpoint]]":
    from generations.origins import OriginStore

    async def work(redis: "Redis") -> "list[tuple[str, Endpoint]]":
        origins = OriginStore(redis)
        names = [name for name in await origins.names() if only in {None, name}]
        found = [await origins.find(name) for name in names]
        return [(origin.name, one) for origin in found if origin for one in origin.endpoints]

    return with_redis(folder, work)


def _show(found: "list[tuple[str, Endpoint]]", *, as_json: bool) -> None:
    if as_json:
        rows = [{"origin": origin, **_as_json(endpoint)} for origin, endpoint in found]
        typer.echo(json.dumps({"endpoints": rows}, indent=2))
        return
    if not found:
        typer.echo("No endpoints.")
    for origin, endpoint in found:
        mark = "  (default)" if endpoint.is_default else ""
        names = f"  with {', '.join(sorted(endpoint.headers))}" if endpoint.headers else ""
        typer.echo(f"{origin}  {endpoint.url}{mark}{names}")


def _as_json(endpoint: "Endpoint") -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "default": endpoint.is_default,
        "headers": sorted(endpoint.headers),
    }


def _end_unset(origin: str, outcome: str, *, as_json: bool) -> None:
    sentences = {
        "missing": f"There is no origin {origin}; its first key makes it.",
        "full": f"{origin} has as many endpoints as it may; remove one first.",
    }
    if not as_json:
        typer.echo(sentences[outcome], err=True)
    raise typer.Exit(1)
