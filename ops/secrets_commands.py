"""``darkroom keys rotate-secret`` and ``signing-key``: what callbacks are signed with."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ops.keys_commands import FOLDER, FolderOption, JsonOption, OriginArgument, span
from ops.reaching import with_redis

if TYPE_CHECKING:
    from generations.connection import Redis
    from generations.model import WebhookSecret
    from generations.origins import NotRotated


def rotate_secret(
    origin: OriginArgument,
    overlap: Annotated[
        timedelta,
        typer.Option(parser=span, help="How long the old one signs too: 24h, 90m, 7d, 0s."),
    ] = timedelta(hours=24),
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Give an origin a new webhook secret, which signs at once.

    The old one signs beside it until the overlap ends; then it is gone by itself.
    """
    from generations.origins import NotRotated, OriginStore

    async def rotated(redis: "Redis") -> "tuple[WebhookSecret, ...] | NotRotated":
        return await OriginStore(redis).rotate_secret(origin, overlap=overlap)

    outcome = with_redis(folder, rotated)
    if isinstance(outcome, NotRotated):
        _end_unrotated(origin, outcome, as_json=as_json)
        return
    new, *old = outcome
    _tell_rotated(origin, new, old, as_json=as_json)


def _end_unrotated(origin: str, outcome: "NotRotated", *, as_json: bool) -> None:
    sentences = {
        "missing": f"There is no origin {origin}; its first key makes it.",
        "full": f"As many secrets of {origin} sign as may; rotate with --overlap 0s to end them.",
    }
    if not as_json:
        typer.echo(sentences[outcome], err=True)
    raise typer.Exit(1)


def _tell_rotated(
    origin: str, new: "WebhookSecret", old: "list[WebhookSecret]", *, as_json: bool
) -> None:
    ends = [held.ends_at for held in old if held.ends_at]
    if as_json:
        from generations.presentation import rfc3339

        told = {
            "origin": origin,
            "webhook_secret": new.secret,
            "old_secrets_end_at": [rfc3339(at) for at in ends],
        }
        typer.echo(json.dumps(told))
        return
    typer.echo(f"origin          {origin}")
    typer.echo(f"webhook secret  {new.secret}   (signs from now on)")
    last = max(ends, default=None)
    until = f"until {last:%Y-%m-%d %H:%M:%S} UTC" if last else "no more"
    typer.echo(f"The one before it signs {until}.")


def signing_key(as_json: JsonOption = False) -> None:
    """Make a key that signs callbacks for receivers that only need its public half.

    Nothing is kept: put the private half into DARKROOM_SIGNING_KEYS of the workers.
    """
    import secrets

    from generations.signing_keys import SEED_BYTES, SigningKey

    key = SigningKey.of_seed(secrets.token_bytes(SEED_BYTES))
    if as_json:
        typer.echo(json.dumps({"private": key.private_text, "public": key.public_text}))
        return
    typer.echo(f"private  {key.private_text}   (for DARKROOM_SIGNING_KEYS of the workers alone)")
    typer.echo(f"public   {key.public_text}")
