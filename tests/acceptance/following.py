"""Callers that submit, read, wait and listen at once, and note every answer."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.acceptance.origins import an_input
from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.event_streams import Event, events_of

#: Seconds that any answer may take before it counts as a hang, waits aside.
HANG: Final = 30.0
#: Seconds that a status is waited for.
WAIT: Final = 3
#: Seconds between two calls of one caller.
PAUSE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and how long it took."""

    kind: str
    status: int
    seconds: float
    headers: httpx.Headers
    body: Any

    @property
    def is_refusal(self) -> bool:
        """Whether it is the one that says: the store is away, come again."""
        return (
            self.status == 503
            and self.headers["Content-Type"] == "application/problem+json"
            and int(self.headers["Retry-After"]) >= 1
            and self.body["code"] == "store_unavailable"
        )


@dataclass(slots=True)
class Crowd:
    """Callers of one origin, until they are told to stop."""

    http: httpx.AsyncClient
    answers: list[Answer] = field(default_factory=list)
    #: Ids of what was accepted.
    accepted: list[str] = field(default_factory=list)
    #: The events that each follower saw.
    seen: list[list[Event]] = field(default_factory=list)
    is_stopping: bool = False

    async def submit_on_and_on(self) -> None:
        """Submit, one after the other."""
        while not self.is_stopping:
            path, body = f"/v1/models/{IMAGE_MODEL}", an_input()
            answer = await self._ask("submit", self.http.post(path, json=body))
            if answer.status == 200:
                self.accepted.append(answer.body["request_id"])
            await asyncio.sleep(PAUSE)

    async def read_on_and_on(self, generation_id: str, *, wait: int = 0) -> None:
        """Ask for the status, or wait for it, one after the other."""
        path = f"/v1/requests/{generation_id}/status"
        query = {"wait": wait} if wait else {}
        while not self.is_stopping:
            await self._ask("wait" if wait else "read", self.http.get(path, params=query))
            await asyncio.sleep(PAUSE)

    async def follow_to_the_end(self, generation_id: str) -> None:
        """Listen, and connect again with the last id whenever the stream ends early."""
        seen: list[Event] = []
        self.seen.append(seen)
        while not (seen and seen[-1].body["data"]["finished_at"]):
            headers = {"Last-Event-ID": seen[-1].id} if seen else {}
            path = f"/v1/generations/{generation_id}/events"
            async with self.http.stream("GET", path, headers=headers) as answer:
                if answer.status_code == 200:
                    async for event in events_of(answer):
                        seen.append(event)  # noqa: PERF401  # One by one: the stream may break.
                else:
                    await answer.aread()
                    self.answers.append(_noted("stream", answer, 0.0))
            await asyncio.sleep(PAUSE)

    async def _ask(self, kind: str, call: Awaitable[httpx.Response]) -> Answer:
        began = time.monotonic()
        answer = _noted(kind, await call, time.monotonic() - began)
        self.answers.append(answer)
        return answer


def _noted(kind: str, answer: httpx.Response, seconds: float) -> Answer:
    return Answer(kind, answer.status_code, seconds, answer.headers, answer.json())
