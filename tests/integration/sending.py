"""Sends callbacks from a process of its own, whose certificates the test chooses (SSL_CERT_FILE).

Told ``[[url, proxy or null], …]`` as JSON, it prints what came of each in the same way.
"""

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from generations.addresses import Allowed
from generations.errors import EndpointUnavailable
from worker.webhooks.sender import CallbackSender


async def sent(url: str, proxy: str | None) -> dict[str, Any]:
    """What came of one callback."""
    sender = CallbackSender(
        allowed=Allowed.parse(["127.0.0.1"], https_only=True),
        attempt_timeout=timedelta(seconds=10),
        connect_timeout=timedelta(seconds=10),
        proxy=proxy,
    )
    try:
        answer = await sender.send(url, b"{}", {"content-type": "application/json"})
    except EndpointUnavailable as exc:
        return {"error": exc.message, "dials": exc.dials}
    finally:
        await sender.close()
    return {"status_code": answer.status_code, "body": answer.body.decode()}


async def main() -> None:
    found = [await sent(*one) for one in json.loads(sys.argv[1])]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
