"""``darkroom keys``: API keys, made here and shown once; listed, rotated and revoked by id."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from generations.model import OnUncertain, Scope
from ops.reaching import with_redis

if TYPE_CHECKING:
    from generations.limits import Limits
    from generations.model import ApiKey
    from generations.origins import NewKey, OriginStore
    from ops.showing_keys import Overlaps

#: It becomes part of a Redis key and of log lines.
ORIGIN_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
LONGEST_KEY_NAME: Final = 100
#: A limit over this is none.
MOST: Final = 1e9
#: Further apart, and the light one would hardly ever have its turn.
LIGHTEST: Final = 0.01
HEAVIEST: Final = 100

_R = TypeVar("_R")

app = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)

FolderOption = Annotated[Path, typer.Option(help="Of a running 'darkroom up'.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyIdArgument = Annotated[str, typer.Argument(metavar="KEY_ID", help="key_…, as listed.")]
FOLDER: Final = Path(".darkroom")


def origin_name(name: str | None) -> str | None:
    import re

    if name is not None and not re.fullmatch(ORIGIN_NAME, name):
        raise typer.BadParameter(
            "An origin's name has 1 to 64 letters, digits, '.', '_' or '-', and starts with one "
            "of the first two."
        )
    return name


def _key_name(name: str | None) -> str | None:
    if name is not None and not (name.isprintable() and 0 < len(name) <= LONGEST_KEY_NAME):
        raise typer.BadParameter(f"A key's name has 1 to {LONGEST_KEY_NAME} visible characters.")
    return name


def span(text: str | timedelta) -> timedelta:
    import re

    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise typer.BadParameter("A number and one of s, m, h and d, such as 24h.")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


OriginArgument = Annotated[str, typer.Argument(callback=origin_name, help="Who will use the key.")]


@app.command("list")
def list_keys(
    origin: Annotated[
        str | None, typer.Argument(callback=origin_name, help="Only this origin's.")
    ] = None,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """List API keys, never the keys themselves; limits, and overlaps of webhook secrets."""
    from ops.showing_keys import as_json as shown_as_json
    from ops.showing_keys import print_keys

    keys, limited, overlaps = _with_origins(folder, lambda origins: _found(origins, origin))
    if as_json:
        _print_json(shown_as_json(keys, limited, overlaps))
    else:
        print_keys(keys, limited, overlaps)


async def _found(
    origins: "OriginStore", name: str | None
) -> tuple[list["ApiKey"], dict[str, "Limits"], "Overlaps"]:
    from generations.limits import Limits

    names = [one for one in await origins.names() if name in {None, one}]
    found = [origin for one in names if (origin := await origins.find(one))]
    limited = {one.name: one.limits for one in found if one.limits != Limits()}
    now = await origins.clock()
    overlaps = {one.name: ends for one in found if (ends := one.secret_ends_after(now))}
    return await origins.keys(name), limited, overlaps


@app.command()
def create(  # Each is an option of the command.
    origin: OriginArgument,
    *,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do; may be given again. Default: submit and read."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(callback=_key_name, help="What it is called in lists.")
    ] = None,
    on_uncertain: Annotated[
        OnUncertain | None,
        typer.Option(help="From now on: what to do with its submissions whose answer is lost."),
    ] = None,
    preflight: Annotated[
        bool | None,
        typer.Option(
            help="From now on: look at its images before anything is paid.", show_default=False
        ),
    ] = None,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Make an API key for an origin, which comes to be with its first key.

    The key is shown once: only its hash is kept.
    """

    async def made(origins: "OriginStore") -> "NewKey":
        from generations.origins import USUAL_SCOPES

        scopes = frozenset(scope or USUAL_SCOPES)
        return await origins.create_key(
            origin,
            scopes=scopes,
            called=name,
            on_uncertain=on_uncertain,
            preflight=preflight,
        )

    _tell_new(_with_origins(folder, made), as_json=as_json)


@app.command()
def revoke(
    key_id: KeyIdArgument, folder: FolderOption = FOLDER, as_json: JsonOption = False
) -> None:
    """End an API key at once."""
    done = _with_origins(folder, lambda origins: origins.revoke(key_id))
    if as_json:
        _print_json({"id": key_id, "revoked": done})
    elif done:
        typer.echo(f"{key_id} is revoked: the gateway refuses it from now on.")
    if not done:
        _end_unknown(key_id, as_json=as_json)


@app.command()
def rotate(
    key_id: KeyIdArgument,
    overlap: Annotated[
        timedelta,
        typer.Option(parser=span, help="How long the old one goes on: 24h, 90m, 7d, 0s."),
    ] = timedelta(hours=24),
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Make a key with the same origin, scopes and name, and let the old one end."""
    new = _with_origins(folder, lambda origins: origins.rotate(key_id, overlap=overlap))
    if new is None:
        _end_unknown(key_id, as_json=as_json)
        return
    _tell_new(new, as_json=as_json)
    if not as_json:
        typer.echo(f"{key_id} ends in {overlap}.")


def _limit(text: str) -> float:
    try:
        number = 0.0 if text == "none" else float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < MOST:
        raise typer.BadParameter("A number, or 0 or none for no limit.")
    return number


def _whole_limit(text: str) -> int:
    number = _limit(text)
    if not number.is_integer():
        raise typer.BadParameter("A whole number, or 0 or none for no limit.")
    return int(number)


def _weight(text: str) -> float:
    number = _limit(text)
    if number and not LIGHTEST <= number <= HEAVIEST:
        raise typer.BadParameter(f"A number from {LIGHTEST} to {HEAVIEST}, or none for 1.")
    return number


@app.command()
def limits(
    origin: OriginArgument,
    *,
    accepts_per_second: Annotated[
        float | None,
        typer.Option(parser=_limit, metavar="N", help="Over this it is refused with 429."),
    ] = None,
    max_unfinished: Annotated[
        int | None,
        typer.Option(parser=_whole_limit, metavar="N", help="Over this it is refused with 429."),
    ] = None,
    max_in_flight: Annotated[
        int | None,
        typer.Option(parser=_whole_limit, metavar="N", help="With RunComfy; the others wait."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            parser=_weight,
            metavar="N",
            help="Turns to submit, beside others' that wait: 0.01 to 100; none is 1.",
        ),
    ] = None,
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Show an origin's limits, after setting those that are given; 0 or none removes one."""
    given = {
        "accepts_per_second": accepts_per_second,
        "max_unfinished": max_unfinished,
        "max_in_flight": max_in_flight,
        "weight": weight,
    }
    changes = {name: number or None for name, number in given.items() if number is not None}
    found = _with_origins(folder, lambda origins: _limited(origins, origin, changes))
    if found is None:
        if not as_json:
            typer.echo(f"There is no origin {origin}; its first key makes it.", err=True)
        raise typer.Exit(1)
    if as_json:
        _print_json({"origin": origin, **found})
        return
    for name, number in found.items():
        typer.echo(f"{name:<20}{'none' if number is None else f'{number:g}'}")


async def _limited(
    origins: "OriginStore", name: str, changes: dict[str, Any]
) -> dict[str, float | None] | None:
    from dataclasses import asdict, replace

    found = await origins.find(name)
    if found is None:
        return None
    wanted = replace(found.limits, **changes)
    if changes:
        await origins.limit(name, wanted)
    return asdict(wanted)


def _tell_new(key: "NewKey", *, as_json: bool) -> None:
    if as_json:
        made = {
            "origin": key.origin,
            "api_key": key.api_key,
            "webhook_secret": key.webhook_secret,
            "id": key.id,
            "scopes": sorted(key.scopes),
        }
        typer.echo(json.dumps(made))
        return
    typer.echo(f"origin          {key.origin}")
    typer.echo(f"api key         {key.api_key}   (keep it now: it is not shown again)")
    typer.echo(f"webhook secret  {key.webhook_secret}")
    typer.echo(f"key id          {key.id}   ({', '.join(sorted(key.scopes))})")


def _end_unknown(key_id: str, *, as_json: bool) -> None:
    if not as_json:
        typer.echo(f"There is no key {key_id}; 'darkroom keys list' shows all.", err=True)
    raise typer.Exit(1)


def _with_origins(folder: Path, work: "Callable[[OriginStore], Awaitable[_R]]") -> _R:
    from generations.origins import OriginStore

    return with_redis(folder, lambda redis: work(OriginStore(redis)))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
