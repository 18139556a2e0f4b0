"""Trying an endpoint: a worker tells it a test event, and whoever asked hears what came of it."""

import time

from api_gateway.parts import Parts
from generations.addresses import check_webhook
from generations.logs import logger
from generations.model import Delivery

log = logger(__name__)


async def try_endpoint(url: str, parts: Parts, *, origin: str) -> Delivery:
    """The delivery of a test event, attempted if that took no longer than the settings say.

    Raises:
        InvalidWebhook, AddressNotAllowed, HttpsRequired: nobody may be called there.
    """
    check_webhook(url, parts.settings.allowed)
    give_up = time.monotonic() + parts.settings.endpoint_test_wait.total_seconds()
    delivery = await parts.deliveries.test(url, origin=origin)
    log.info("endpoint.tested", delivery_id=delivery.id, origin=origin)
    with parts.moves.watch(delivery.id) as watch:
        while True:
            delivery = await parts.deliveries.find(delivery.id)
            left = give_up - time.monotonic()
            if delivery.is_finished or left <= 0 or parts.moves.is_over:
                return delivery
            await watch.rung(seconds=left)
