"""Telling deliveries again, so many at a time."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from api_gateway.parts import Parts
from generations.errors import DeliveryNotFound, DeliverySuperseded
from generations.lifecycle import DeliveryStatus
from generations.logs import logger
from generations.model import Delivery
from generations.selection import DeliveryFilter, Place

log = logger(__name__)

#: Deliveries that one call tells again at most, and at the same time.
MOST_REDELIVERED: Final = 500
REDELIVERED_AT_ONCE: Final = 32
MAY_BE_TOLD: Final = frozenset(DeliveryStatus) - {DeliveryStatus.SUPERSEDED}


@dataclass(frozen=True, slots=True)
class RedeliveredMany:
    """What one call brought on its way again."""

    ids: list[str]
    #: Where to go on; None where nothing that is meant comes after these.
    next: Place | None


async def redeliver_once(delivery: Delivery, parts: Parts) -> Delivery:
    """The delivery, pending and due; raises DeliverySuperseded, DeliveryNotFound."""
    redelivered = await parts.deliveries.redeliver(delivery)
    log.info("delivery.redelivered", delivery_id=delivery.id, origin=delivery.origin)
    return redelivered


async def redeliver_many(
    wanted: DeliveryFilter, parts: Parts, *, origin: str | None, after: Place | None
) -> RedeliveredMany:
    """Tell again what is meant, but for what a later event says more than."""
    statuses = (wanted.statuses or MAY_BE_TOLD) & MAY_BE_TOLD
    if not statuses:
        return RedeliveredMany([], None)
    page = await parts.deliveries.page(
        replace(wanted, statuses=statuses), origin=origin, limit=MOST_REDELIVERED, after=after
    )
    ids: list[str] = []
    for start in range(0, len(page.rows), REDELIVERED_AT_ONCE):
        some = page.rows[start : start + REDELIVERED_AT_ONCE]
        ids += [i for i in await asyncio.gather(*(_tried(one, parts) for one in some)) if i]
    log.info("deliveries.redelivered", origin=origin, count=len(ids))
    return RedeliveredMany(ids, page.next)


async def _tried(delivery: Delivery, parts: Parts) -> str | None:
    try:
        await parts.deliveries.redeliver(delivery)
    except (DeliverySuperseded, DeliveryNotFound):
        return None
    return delivery.id
