"""The pre-flight: images are looked at before a submission is paid, where it is switched on.

Only what is certain keeps a generation from being submitted. An image that cannot be fetched
or read is for RunComfy to judge, which may reach what we do not.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from generations.dialect import Image, ImageFacts, images_in
from generations.errors import AddressNotAllowed, EndpointUnavailable
from generations.logs import logger
from generations.model import ErrorCode, Generation
from generations.steps import Due, Lane, Step, fail
from worker.clients import Clients
from worker.images.head import facts_inline

log = logger(__name__)

#: So many images of one input are looked at; no page has a model that takes more.
MOST_IMAGES: Final = 16
LONGEST_MESSAGE: Final = 500


async def preflight_once(generation: Generation, clients: Clients) -> Step | None:
    """What looking at a generation's images comes to; None where there is nothing to look at.

    It fails where they break their model's rules. Otherwise it is on record that they were
    looked at and it is due again at once, so that its submission has the whole of a lease.
    Takes no longer than ``preflight_timeout``.
    """
    if generation.preflighted_at is not None:
        return None
    model = clients.catalog.current.find(generation.model_id)
    if model is None:
        return None
    images = list(images_in(generation.input, model.schema))[:MOST_IMAGES]
    if not images or not await _is_wanted(generation, clients):
        return None
    looked = await asyncio.gather(*(_look(image, clients) for image in images))
    said = faults_of_images(list(zip(images, looked, strict=True)))
    if not said:
        return Step(due=Due(Lane.SUBMISSIONS), stamp=("preflighted_at",))
    log.info("preflight.refused", images=len(images))
    return fail(generation, ErrorCode.INVALID_INPUT, said)


def faults_of_images(looked: Sequence[tuple[Image, ImageFacts | None]]) -> str:
    """What the rules have against the images, in the schema's own words; empty if nothing."""
    said = [
        f"{'.'.join(str(part) for part in image.path)}: {rule.message}"
        for image, facts in looked
        for rule in image.rules
        if facts is not None and rule.is_broken_by(facts)
    ]
    return " ".join(dict.fromkeys(said))[:LONGEST_MESSAGE]


async def _is_wanted(generation: Generation, clients: Clients) -> bool:
    if generation.preflight is not None:
        return generation.preflight
    origin = await clients.origins.find(generation.origin)
    return origin is not None and origin.preflight


async def _look(image: Image, clients: Clients) -> ImageFacts | None:
    if image.url[:5].lower() == "data:":
        return facts_inline(image.url)
    try:
        return await clients.calls.make(clients.images.look(image.url))
    except (AddressNotAllowed, EndpointUnavailable) as exc:
        # Never the URL, which may be a signed one.
        log.info("preflight.unreadable", reason=exc.code)
        return None
