"""Accepting a generation, the same on both faces: check what can be checked, then record."""

import re
from typing import Final

from api_gateway.parts import Parts
from generations.addresses import check_webhook
from generations.errors import InvalidModelId
from generations.logs import logger
from generations.model import Generation, NewGeneration

log = logger(__name__)

LONGEST_MODEL_ID: Final = 200
# A segment of dots alone would name another path in the URL that a worker makes of it.
_SEGMENT: Final = r"(?!\.+(?:/|$))[A-Za-z0-9._-]+"
_MODEL_ID: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})+")


async def accept(
    new: NewGeneration, parts: Parts, *, idempotency_key: str | None = None
) -> Generation:
    """The generation, on record and due; where it is refused, nothing is stored.

    With an idempotency key that was used before for the same, the generation of then.

    Raises:
        IdempotencyConflict: the key was used before for something else.
        InvalidModelId, InvalidWebhook, AddressNotAllowed: it is refused.
        StoreUnavailable: it may be on record where the answer was lost on the way.
    """
    check_model_id(new.model_id)
    if new.webhook is not None:
        check_webhook(new.webhook, parts.settings.allowed)
    generation = await parts.store.accept(new, idempotency_key=idempotency_key)
    log.info(
        "generation.accepted" if generation.id == new.id else "generation.replayed",
        generation_id=generation.id,
        origin=generation.origin,
        model_id=generation.model_id,
    )
    return generation


def check_model_id(model_id: str) -> None:
    """Accept a text as a model id; whether there is such a model is for RunComfy to say.

    Raises:
        InvalidModelId: it cannot be one.
    """
    if len(model_id) > LONGEST_MODEL_ID or not _MODEL_ID.fullmatch(model_id):
        raise InvalidModelId
