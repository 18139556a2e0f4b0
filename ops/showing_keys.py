"""API keys as people read them in a terminal, and as ``--json`` prints them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from generations.limits import Limits
from generations.model import ApiKey
from generations.presentation import rfc3339
from ops.showing import NO_EDGE

#: For each origin of which an old webhook secret signs beside the new one: when these end.
Overlaps = Mapping[str, Sequence[datetime]]


def as_json(
    keys: Sequence[ApiKey], limited: Mapping[str, Limits], overlaps: Overlaps
) -> dict[str, Any]:
    """Everything that is known of keys; the limits of origins, and their overlaps."""
    return {
        "keys": [_key_as_json(key) for key in keys],
        "limits": {origin: asdict(limits) for origin, limits in limited.items()},
        "old_secrets_end_at": {
            origin: [rfc3339(at) for at in ends] for origin, ends in overlaps.items()
        },
    }


def _key_as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "origin": key.origin,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": rfc3339(key.created_at),
        "last_used_at": _instant(key.last_used_at),
        "ends_at": _instant(key.ends_at),
    }


def print_keys(keys: Sequence[ApiKey], limited: Mapping[str, Limits], overlaps: Overlaps) -> None:
    """One line a key, and one an origin that has limits, or an old webhook secret."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("id", "origin", "scopes", "made", "last used", "ends", "name"):
        table.add_column(column, no_wrap=True)
    for key in keys:
        table.add_row(*_row(key))
    console = Console()
    if not console.is_terminal:
        console.width = NO_EDGE
    console.print(table if keys else "No keys.")
    for origin, limits in limited.items():
        set_ = (f"{name} {number:g}" for name, number in asdict(limits).items() if number)
        console.print(f"{origin}: {', '.join(set_)}", highlight=False)
    for origin, ends in overlaps.items():
        until = f"an old webhook secret signs until {_minute(max(ends))} UTC"
        console.print(f"{origin}: {until}", highlight=False)


def _row(key: ApiKey) -> Iterator[str]:
    yield key.id
    yield key.origin
    yield ", ".join(sorted(key.scopes))
    yield _minute(key.created_at)
    yield _minute(key.last_used_at) if key.last_used_at else "never"
    yield _minute(key.ends_at) if key.ends_at else ""
    yield key.name or ""


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _instant(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None
