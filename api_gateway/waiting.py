"""What callers say of how long to wait for an answer: ``Prefer: wait`` and ``?wait=``."""

import re
from typing import Annotated, Final

from fastapi import Header, Query, Response
from pydantic import WithJsonSchema

#: Seconds that a caller is kept waiting at most; proxies do not keep connections much longer.
LONGEST_WAIT: Final = 60

# RFC 7240: preferences are parted by commas, their parameters follow a semicolon.
_WAIT: Final = re.compile(
    r'\s*wait\s*(?:=\s*(?:"([0-9]{1,9})"|([0-9]{1,9})))?\s*(?:;.*)?', re.IGNORECASE
)

Prefer = Annotated[
    list[str] | None,
    # One header or several, which are one with commas.
    WithJsonSchema({"type": "string", "examples": ["wait=30"]}),
    Header(
        description=(
            f"`wait=n` answers when the generation has ended, or after n seconds (at most "
            f"{LONGEST_WAIT}; `wait` alone is {LONGEST_WAIT}), whichever comes first. The answer "
            "says in `Preference-Applied` how long it was ready to wait. What is no such "
            "preference is ignored, as RFC 7240 has it."
        ),
    ),
]
Wait = Annotated[
    int,
    Query(
        ge=0,
        le=LONGEST_WAIT,
        description=(
            "Seconds to wait for a move, if it has not ended: the answer comes as soon as the "
            "status is another than when the request came in, or when the seconds are over."
        ),
    ),
]


def preferred_wait(prefer: list[str] | None) -> int | None:
    """The seconds that a Prefer header asks to wait; None where it asks for no wait."""
    for preference in ",".join(prefer or ()).split(","):
        if found := _WAIT.fullmatch(preference):
            asked = found[1] or found[2]
            return min(int(asked), LONGEST_WAIT) if asked else LONGEST_WAIT
    return None


def grant(prefer: list[str] | None, response: Response) -> int | None:
    """The seconds to wait for the end, as the answer will say; None: not at all."""
    seconds = preferred_wait(prefer)
    if seconds is not None:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    return seconds
