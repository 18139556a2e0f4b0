"""Ids: a prefix that says what it names, and a ULID, so that ids sort by age."""

import re
from typing import Final

from ulid import ULID

GENERATION: Final = "gen_"
DELIVERY: Final = "dlv_"
EVENT: Final = "evt_"

_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_id(prefix: str) -> str:
    """A new id of one kind."""
    return f"{prefix}{ULID()}"


def is_id(text: str, prefix: str) -> bool:
    """Whether a text that came from outside can be an id of one kind."""
    return text.startswith(prefix) and _ULID.fullmatch(text, len(prefix)) is not None
