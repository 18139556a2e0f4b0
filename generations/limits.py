"""What an origin, and RunComfy itself, may get at most, and what is left of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

#: Policies, as accept.lua and the RateLimit headers call them.
ACCEPTS: Final = "accepts"
UNFINISHED: Final = "unfinished"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an origin may at most; None where it is not limited."""

    #: Over this, and over the next, it is refused.
    accepts_per_second: float | None = None
    max_unfinished: int | None = None
    #: How many RunComfy may have at a time; the others wait for their turn, queued.
    max_in_flight: int | None = None
    #: Its share of the submissions beside others' that wait; None is 1.
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of one limit."""

    policy: str
    limit: float
    remaining: int
    #: Until more is left; None where nobody knows.
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """What RunComfy may get at most, over all origins and workers; None where it is not limited.

    Each worker brings its own settings to the scripts, which count for all of them. Where workers
    are set up differently, as in the middle of a restart, the most generous one bounds the whole.
    """

    #: Generations that it has, or may have, at a time.
    max_in_flight: int | None = None
    #: Calls of any kind.
    requests_per_second: float | None = None

    def as_room(self) -> dict[str, Any]:
        """What a step asks for that needs room (``settle.lua``)."""
        asked = {"needs_room": True, "most": self.max_in_flight, "rate": self.requests_per_second}
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def args(self) -> tuple[str, str]:
        """As the scripts take them."""
        return _text(self.max_in_flight), _text(self.requests_per_second)


UNLIMITED: Final = UpstreamLimits()


def read_quotas(found: Sequence[Sequence[Any]]) -> tuple[Quota, ...]:
    """The quotas that accept.lua returned."""
    return tuple(
        Quota(
            policy=str(policy),
            limit=float(limit),
            remaining=int(remaining),
            wait=timedelta(milliseconds=wait_ms) if wait_ms >= 0 else None,
        )
        for policy, limit, remaining, wait_ms in found
    )


def _text(number: float | None) -> str:
    return "" if number is None else str(number)
