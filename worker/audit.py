"""The audit in turn: one worker at a time looks through all that is unfinished, unhurriedly.

It takes a small share of the time, a page and a rest, a page and a rest: a pass over little is
over at once, one over a hundred thousand takes a minute, and neither delays what is due.
"""

import asyncio
from datetime import timedelta
from typing import Final

from generations.errors import StoreUnavailable
from generations.logs import logger
from generations.metrics import AUDIT_REPAIRS
from generations.steps import Lane
from worker.clients import Clients

log = logger(__name__)

#: How long after a pass the next one begins, whichever worker's it is.
AUDIT_INTERVAL: Final = timedelta(seconds=5)
#: How often each worker looks whether it is its turn.
LOOK_INTERVAL: Final = timedelta(seconds=1)
#: A rest is so many times as long as the page before it took, and at most so many seconds:
#: less than the interval, so that nobody else begins meanwhile.
RESTS: Final = 15
LONGEST_REST: Final = 1.0


async def audit_in_turn(clients: Clients) -> None:
    """Compare records with the due index, unless another worker just did, or is at it."""
    try:
        if await clients.due.is_my_turn("audit", interval=AUDIT_INTERVAL):
            await audit_once(clients)
    except StoreUnavailable as exc:
        log.warning("audit.ended_early", reason=type(exc).__name__)


async def audit_once(clients: Clients) -> None:
    """One pass; what it mended is counted, and told."""

    async def rest(took: float) -> None:
        await clients.due.keep_turn("audit", interval=AUDIT_INTERVAL)
        await asyncio.sleep(min(took * RESTS, LONGEST_REST))

    found = await clients.due.audit(
        submitting=clients.leases.lease(Lane.SUBMISSIONS),
        longest=clients.leases.longest_waits(clients.settings.delivery_schedule),
        rest=rest,
    )
    for kind in ("put_back", "pulled_back", "forgotten"):
        AUDIT_REPAIRS.labels(kind).inc(getattr(found, kind))
    if found.put_back or found.pulled_back or found.forgotten:
        log.error(
            "audit.mended",
            put_back=found.put_back,
            pulled_back=found.pulled_back,
            forgotten=found.forgotten,
        )
