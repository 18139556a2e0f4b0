"""What is left of an origin's limits, in HTTP's words.

RateLimit header fields: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers
"""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from generations.errors import DarkroomError, OverLimit
from generations.limits import ACCEPTS, Quota

#: Seconds to wait where nobody knows when there is room again.
UNKNOWN_WAIT: Final = 5


def quota_headers(quotas: Sequence[Quota]) -> dict[str, str]:
    """RateLimit-Policy and RateLimit; nothing where there is no limit."""
    if not quotas:
        return {}
    policies = ", ".join(f'"{quota.policy}";{";".join(_policy(quota))}' for quota in quotas)
    lefts = ", ".join(f'"{quota.policy}";{";".join(_left(quota))}' for quota in quotas)
    return {"RateLimit-Policy": policies, "RateLimit": lefts}


def refusal_headers(error: DarkroomError) -> dict[str, str]:
    """When to come back and what is left, where a limit is why."""
    if not isinstance(error, OverLimit):
        return {}
    return {"Retry-After": str(retry_after(error.quotas)), **quota_headers(error.quotas)}


def retry_after(quotas: Sequence[Quota]) -> int:
    """Whole seconds after which one that was refused may be accepted."""
    waits = [_seconds(quota.wait) for quota in quotas if quota.remaining == 0]
    return max(waits, default=UNKNOWN_WAIT)


def _policy(quota: Quota) -> Iterator[str]:
    if quota.policy != ACCEPTS:
        yield f"q={quota.limit:.0f}"
        return
    # Both are whole numbers: less than one a second is one in so many.
    yield f"q={max(math.floor(quota.limit), 1)}"
    yield f"w={max(math.ceil(1 / quota.limit), 1)}"


def _left(quota: Quota) -> Iterator[str]:
    yield f"r={quota.remaining}"
    if quota.wait is not None:
        yield f"t={_seconds(quota.wait)}"


def _seconds(wait: timedelta | None) -> int:
    return UNKNOWN_WAIT if wait is None else max(math.ceil(wait.total_seconds()), 1)
