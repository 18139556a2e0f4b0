"""The origin's receiver: checks signatures with a library not ours, and fails now and then."""

import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from bench.chaos.evidence import Arrival, Json
from ops.local.settings import HOST

PATH: Final = "/callbacks"
#: The ways in which an attempt fails, each as likely; None drops the connection.
FAILURES: Final = (500, 500, 429, None)


class ChaosReceiver:
    """A log of what arrived."""

    def __init__(self, secret: str, *, failures: float, source: random.Random) -> None:
        self.arrivals: list[Arrival] = []
        #: The generations whose end it was told of, and took.
        self.told: set[str] = set()
        self._webhook = Webhook(secret)
        self._failures = failures
        self._random = source

    async def receive(self, request: web.Request) -> web.Response:
        """Note a callback, and answer it, or not."""
        arrival = self._note(await request.read(), request.headers)
        self.arrivals.append(arrival)
        if arrival.is_final and arrival.is_taken:
            self.told.add(arrival.generation_id)
        if arrival.answered is None and request.transport is not None:
            request.transport.abort()
        return web.Response(status=arrival.answered or 200)

    def _note(self, body: bytes, headers: Mapping[str, str]) -> Arrival:
        return Arrival(
            at=time.time(),
            event_id=headers.get("webhook-id", ""),
            is_verified=self._is_verified(body, headers),
            body=_object(body),
            answered=self._draw(),
        )

    def _is_verified(self, body: bytes, headers: Mapping[str, str]) -> bool:
        try:
            self._webhook.verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            return False
        return True

    def _draw(self) -> int | None:
        if self._random.random() >= self._failures:
            return 200
        return self._random.choice(FAILURES)


@asynccontextmanager
async def serving(receiver: ChaosReceiver) -> AsyncIterator[str]:
    """The receiver on a free port; its URL."""
    app = web.Application()
    app.add_routes([web.post(PATH, receiver.receive)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, backlog=1_024).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
