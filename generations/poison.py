"""Poison: a record that its workers die of is worked on alone, and set aside in the end."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from generations import metrics
from generations.claimed import SUSPECT_TAKES, Claim, new_fence
from generations.connection import Redis, key, reaching_store
from generations.lifecycle import DeliveryStatus, Status
from generations.logs import logger
from generations.model import ErrorCode, GenerationError
from generations.records import Fields
from generations.settling import Settling
from generations.steps import Due, Lane, NewDelivery, Step

#: Dead of it so often, alone and seen to be, and it is set aside.
POISON_DEATHS: Final = 3
#: How long a death is let be, so that what killed several in a row (a machine short of memory,
#: say) is not taken for the record's doing.
AFTER_DEATH: Final = timedelta(seconds=10)
#: How many suspects one claim takes at most, unless told otherwise.
SUSPECTS: Final = 20
SET_ASIDE: Final = (
    "Darkroom could not work on this generation and has set it aside; its operator was told."
)


log = logger(__name__)


@reaching_store
async def note_death(redis: Redis, settling: Settling, claim: Claim) -> None:
    """Whoever took this claim alone, under its fence, died of it, if it was not settled.

    It is due again after a while, or set aside in the end.
    """
    # Read no more of the record than is needed: reading it may be what it died of.
    names = ("fence", "origin", "webhook", "generation_id")
    values = await redis.hmget(key(claim.id), *names)
    fields = {name: str(value or "") for name, value in zip(names, values, strict=True)}
    claim = replace(claim, origin=fields["origin"])
    if fields["fence"] != str(claim.fence):
        return
    if claim.takes + 1 >= SUSPECT_TAKES + POISON_DEATHS:
        await _set_aside(settling, claim, fields)
        return
    guard = {"fence": str(claim.fence), "next_fence": str(new_fence()), "died": True}
    step = Step(due=Due(claim.lane, AFTER_DEATH))
    await settling.apply(claim.id, claim.lane, step, guard, origin=claim.origin)


async def _set_aside(settling: Settling, claim: Claim, fields: Fields) -> None:
    log.error("record.set_aside", id=claim.id)
    metrics.SET_ASIDE.labels(claim.lane).inc()
    if claim.lane is Lane.DELIVERIES:
        await _set_delivery_aside(settling, claim, fields)
        return
    endpoint, origin = fields["webhook"] or None, claim.origin
    error = GenerationError(ErrorCode.INTERNAL, SET_ASIDE)
    step = Step(
        to=Status.FAILED,
        due=None,
        set={"error": error, "set_aside": "1"},
        tell=NewDelivery(endpoint, Status.FAILED, origin) if origin else None,
    )
    if await settling.settle(claim, step) is None:
        # It had ended, and was only to be asked for its cost: that is asked no more.
        await settling.settle(claim, Step(due=None))


async def _set_delivery_aside(settling: Settling, claim: Claim, fields: Fields) -> None:
    aside = {"set_aside": "1"}
    if generation_id := fields["generation_id"]:
        # First of all, so that a death in between leaves the delivery to be set aside again.
        mark = Step(due=None, set=aside)
        await settling.apply(generation_id, claim.lane, mark, {}, origin=claim.origin)
    await settling.settle(claim, Step(to=DeliveryStatus.EXHAUSTED, due=None, set=aside))
