"""What an origin may at most, and what is left of it. Pure."""

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


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of one limit."""

    policy: str
    limit: float
    remaining: int
    #: Until more is left; None where nobody knows.
    wait: timedelta | None = None


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
