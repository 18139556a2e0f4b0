"""The breaker: while RunComfy answers nobody, all workers let through only probes (claim.lua)."""

from datetime import timedelta
from typing import Final

from generations.connection import Redis, key, reaching_store
from generations.steps import Lane

BREAKER: Final = key("breaker")
#: Calls to RunComfy that fail in a row, over all workers, until only probes are let through.
BREAKER_FAILURES: Final = 10
PROBE_INTERVAL: Final = timedelta(seconds=2)
#: How long at most between them where there is nothing to poll, so that a submission has to be
#: risked: each waits twice as long as the one before.
LONGEST_PROBE_INTERVAL: Final = timedelta(minutes=1)
#: While only probes are let through, how many of a lane one claim looks through for what ends
#: without a call.
UNCALLED_PAGE: Final = 200
#: What the actions of a lane are to RunComfy, in the words of ``claim.lua``.
CALLS: Final = {Lane.SUBMISSIONS: "submission", Lane.POLLS: "poll", Lane.DELIVERIES: "none"}


@reaching_store
async def report(redis: Redis, *, answered: bool, failures: int) -> None:
    """Tell all workers how calls to RunComfy went: one answer closes the breaker."""
    if answered:
        await redis.delete(BREAKER)
    elif failures:
        await redis.hincrby(BREAKER, "failures", failures)
