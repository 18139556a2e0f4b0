"""The trace that a generation belongs to, as its origin began it. Pure: headers in, headers out.

W3C Trace Context: https://www.w3.org/TR/trace-context/. What an origin sends is not trusted:
whatever is not as the standard has it is as if it had not been sent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: What the standard asks everybody to pass on at least.
LONGEST_STATE: Final = 512
MOST_MEMBERS: Final = 32

_PARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_MEMBER: Final = re.compile(
    r"[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where in a trace something belongs: the two headers, as they are passed on."""

    parent: str
    state: str = ""

    @property
    def id(self) -> str:
        """The trace's own id, the same for everything that belongs to it."""
        return self.parent[3:35]

    @property
    def headers(self) -> Mapping[str, str]:
        """As they are sent."""
        told = {"traceparent": self.parent}
        return {**told, "tracestate": self.state} if self.state else told


def ids_of(trace: Trace | None) -> Mapping[str, str]:
    """What a log line says of it."""
    return {"trace_id": trace.id} if trace else {}


def read_trace(parents: Sequence[str], states: Sequence[str] = ()) -> Trace | None:
    """The trace that a request's headers name; None where they name none, or not well."""
    found = _PARENT.fullmatch(parents[0].strip()) if len(parents) == 1 else None
    if found is None or (found[1] == "00" and found[5]):
        return None
    # A later version is passed on as what is understood of it.
    parent = f"00-{found[2]}-{found[3]}-{int(found[4], 16) & 1:02x}"
    return Trace(parent, _state(states))


def _state(states: Sequence[str]) -> str:
    members = [member.strip() for member in ",".join(states).split(",") if member.strip()]
    text = ",".join(members)
    is_sound = len(members) <= MOST_MEMBERS and all(map(_MEMBER.fullmatch, members))
    return text if is_sound and len(text) <= LONGEST_STATE else ""
