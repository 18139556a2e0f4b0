"""Showing receivers the public keys that this worker's callbacks are signed with."""

from datetime import timedelta
from typing import Final

from worker.clients import Clients

#: How often each worker says which keys it signs with: soon enough for a Redis that was emptied.
PUBLISH_INTERVAL: Final = timedelta(seconds=30)


async def publish_keys(clients: Clients) -> None:
    """Have the gateway show them.

    Raises:
        StoreUnavailable: it does not know of them yet.
    """
    if clients.signing_keys:
        await clients.public_keys.publish(key.public for key in clients.signing_keys)
