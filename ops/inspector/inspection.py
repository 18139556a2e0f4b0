"""What the routes of one inspector share, and how they come by it."""

from dataclasses import dataclass
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Depends, Request
from fastapi.sse import ServerSentEvent

from ops.inspector.answers import Answer, AnswerSwitch
from ops.inspector.callbacks import Arrival, Callback, CallbackLog
from ops.inspector.feed import Feed
from ops.inspector.settings import InspectorSettings
from ops.inspector.verification import verify


@dataclass(frozen=True)
class Inspection:
    """One inspector's log, switch and feed; each change is told to the feed."""

    keys: tuple[bytes, ...]
    public_keys: tuple[Ed25519PublicKey, ...]
    hang_seconds: float
    log: CallbackLog
    switch: AnswerSwitch
    feed: Feed

    @classmethod
    def begin(cls, settings: InspectorSettings) -> "Inspection":
        log = CallbackLog(keep=settings.keep)
        return cls(
            settings.keys(),
            settings.verifying_keys(),
            settings.hang_seconds,
            log,
            AnswerSwitch(),
            Feed(),
        )

    def receive(self, arrival: Arrival) -> Answer:
        """Keep one callback and return how it is to be answered."""
        before = self.switch.current
        answer = self.switch.take(arrival.path)
        verdict = verify(
            headers=arrival.headers,
            body=arrival.body,
            keys=self.keys,
            public_keys=self.public_keys,
            now=arrival.received_at,
        )
        self._tell_callback(self.log.record(arrival, verdict=verdict, answer=answer))
        if self.switch.current != before:
            self._tell_answer()
        return answer

    def turn_to(self, answer: Answer) -> None:
        self.switch.turn_to(answer)
        self._tell_answer()

    def clear(self) -> None:
        self.log.clear()
        self.feed.tell(ServerSentEvent(event="cleared", raw_data="{}"))

    def _tell_callback(self, callback: Callback) -> None:
        text = callback.model_dump_json()
        self.feed.tell(ServerSentEvent(event="callback", id=str(callback.n), raw_data=text))

    def _tell_answer(self) -> None:
        text = self.switch.current.model_dump_json()
        self.feed.tell(ServerSentEvent(event="answer", raw_data=text))


def _inspection(request: Request) -> Inspection:
    inspection = request.app.state.inspection
    assert isinstance(inspection, Inspection)  # noqa: S101 - app.state is untyped.
    return inspection


Shared = Annotated[Inspection, Depends(_inspection)]
