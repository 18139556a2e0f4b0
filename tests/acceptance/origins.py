"""An origin as the gateway sees it: asks over HTTP with its key, and waits for what it asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.receiver import Answer, Endpoint, Receiver
from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.acceptance.waiting import PATIENCE, eventually

Body = dict[str, Any]


def an_input(words: str = "", **more: Any) -> Body:
    """An input like no other, so that the ledger's entry for it can be found.

    ``words`` may hold the simulator's markers, such as ``[[sim:failed]]``.
    """
    return {"prompt": f"a lighthouse in fog, {uuid4().hex} {words}".strip(), **more}


@dataclass(frozen=True, slots=True)
class OriginClient:
    """One origin, with its key and its webhook secret."""

    name: str
    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    http: httpx.Client = field(repr=False)
    receiver: Receiver = field(repr=False)

    def endpoint(self, *answers: Answer) -> Endpoint:
        """A new endpoint that answers this, and then 200."""
        endpoint = self.receiver.endpoint(self.secret)
        endpoint.answers.extend(answers)
        return endpoint

    def post(
        self,
        given: Any,
        *,
        model_id: str = IMAGE_MODEL,
        webhook: str | None = None,
        intermediate: bool = False,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
    ) -> httpx.Response:
        """POST on RunComfy's route, and whatever it answers."""
        asked = {
            "webhook": webhook,
            "webhook_intermediate_status": "true" if intermediate else None,
        }
        query = {name: value for name, value in asked.items() if value}
        sent = dict(headers or {})
        if idempotency_key:
            sent["Idempotency-Key"] = idempotency_key
        path = f"/v1/models/{model_id}"
        return self.call("POST", path, sent, http=http, params=query, json=given)

    def submit(self, given: Any, **asked: Any) -> str:
        """Have a generation accepted (see :meth:`post`); its id."""
        return str(self._body(self.post(given, **asked))["request_id"])

    def status(self, request_id: str) -> Body:
        return self._body(self.call("GET", f"/v1/requests/{request_id}/status"))

    def result(self, request_id: str) -> Body:
        return self._body(self.call("GET", f"/v1/requests/{request_id}/result"))

    def cancel(self, request_id: str) -> Body:
        return self._body(self.call("POST", f"/v1/requests/{request_id}/cancel"))

    def record(self, generation_id: str) -> Body:
        """The native record."""
        return self._body(self.call("GET", f"/v1/generations/{generation_id}"))

    def listed(self) -> list[str]:
        """The ids of its newest generations."""
        page = self._body(self.call("GET", "/v1/generations", params={"limit": 100}))
        return [generation["id"] for generation in page["generations"]]

    def wait_until(self, generation_id: str, *statuses: str, seconds: float = PATIENCE) -> Body:
        """The native record, once it is in one of the statuses."""

        def look() -> Body | None:
            record = self.record(generation_id)
            return record if record["status"] in statuses else None

        return eventually(look, f"{generation_id} is {' or '.join(statuses)}", seconds=seconds)

    def wait_until_finished(self, generation_id: str, *, seconds: float = PATIENCE) -> Body:
        """The native record, once it can change no more."""
        finished = ("succeeded", "failed", "cancelled")
        return self.wait_until(generation_id, *finished, seconds=seconds)

    def wait_until_delivered(self, generation_id: str) -> None:
        """Come back once every delivery of it is on record as taken."""

        def look() -> bool:
            deliveries = self.record(generation_id)["deliveries"]
            return all(delivery["status"] == "delivered" for delivery in deliveries)

        eventually(look, f"{generation_id} is told")

    def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        http: httpx.Client | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Any call with this origin's key, over connections of its own where they are given."""
        headers = {"Authorization": f"Bearer {self.api_key}", **(headers or {})}
        return (http or self.http).request(method, path, headers=headers, **more)

    @staticmethod
    def _body(answer: httpx.Response) -> Body:
        assert answer.is_success, (
            f"{answer.request.url} answered {answer.status_code}: {answer.text}"
        )
        return dict(answer.json())
