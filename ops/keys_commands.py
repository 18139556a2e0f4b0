"""``darkroom keys``: API keys, made here and shown once."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from generations.model import OnUncertain
from ops.endings import ending_in_sentences

if TYPE_CHECKING:
    from generations.origins import NewKey

#: It becomes part of a Redis key and of log lines.
ORIGIN_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

app = typer.Typer(help="Make API keys for origins.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make API keys for origins."""


def _origin_name(name: str) -> str:
    import re

    if not re.fullmatch(ORIGIN_NAME, name):
        raise typer.BadParameter(
            "An origin's name has 1 to 64 letters, digits, '.', '_' or '-', and starts with one "
            "of the first two."
        )
    return name


@app.command()
def create(
    origin: Annotated[str, typer.Argument(callback=_origin_name, help="Who will use the key.")],
    on_uncertain: Annotated[
        OnUncertain | None,
        typer.Option(help="From now on: what to do with its submissions whose answer is lost."),
    ] = None,
    folder: Annotated[Path, typer.Option(help="Of a running 'darkroom up'.")] = Path(".darkroom"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make an API key for an origin, which comes to be with its first key.

    The key is shown once: only its hash is kept.
    """
    import asyncio

    from ops.local.folder import Folder

    with ending_in_sentences():
        key = asyncio.run(_create(origin, on_uncertain, Folder(folder).redis_url()))
    if as_json:
        made = {"origin": key.origin, "api_key": key.api_key, "webhook_secret": key.webhook_secret}
        typer.echo(json.dumps(made))
        return
    typer.echo(f"origin          {key.origin}")
    typer.echo(f"api key         {key.api_key}   (keep it now: it is not shown again)")
    typer.echo(f"webhook secret  {key.webhook_secret}")


async def _create(origin: str, on_uncertain: OnUncertain | None, redis_url: str) -> "NewKey":
    from generations.connection import connect
    from generations.origins import OriginStore

    redis = connect(redis_url, max_connections=2)
    try:
        return await OriginStore(redis).create_key(origin, on_uncertain=on_uncertain)
    finally:
        await redis.aclose()
