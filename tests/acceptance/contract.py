"""A client that knows RunComfy's documentation and nothing else, for both who claim to speak it.

What it brings home is comparable: ids, instants and URLs are checked for their form and then
replaced by what they stand for. https://docs.runcomfy.com/model-apis/async-queue-endpoints
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import httpx

from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.acceptance.waiting import eventually

#: What RunComfy's ComfyUI nodes accept as an id.
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: A Go client parses exactly this.
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d")
#: RunComfy's storage, whoever tells of it; the id in it is RunComfy's own.
OUTPUT: Final = re.compile(r"http://[0-9.]+:\d+/outputs/[0-9a-f-]{36}((?:\.\d)?\.\w+)")
INSTANTS: Final = ("created_at", "finished_at")
#: RunComfy's names of errors; https://docs.runcomfy.com/model-apis/error-codes
NAMES: Final = {
    400001: "InvalidResourceIdentifier",
    400004: "UserAccountError",
    404001: "ResourceNotFound",
}


class Seen(NamedTuple):
    """An answer, made comparable; ``body`` of an error is what RunComfy documents of it."""

    status_code: int
    media_type: str
    body: Any

    @property
    def word(self) -> Any:
        """The status in it."""
        return self.body["status"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A RunComfy client: a base URL and a token are all that it was told."""

    name: str
    base: str
    token: str = field(repr=False)
    http: httpx.Client = field(repr=False)

    def submit(self, given: Any, *, model_id: str = IMAGE_MODEL) -> tuple[str, Seen]:
        """Have a request accepted; its id, and the whole answer."""
        answer = self.send("POST", f"/v1/models/{model_id}", json=given)
        assert answer.status_code == 200, answer.text
        request_id = str(answer.json()["request_id"])
        assert REQUEST_ID.fullmatch(request_id)
        return request_id, self._seen(answer, request_id)

    def look(self, request_id: str, what: str, **query: str) -> Seen:
        """``status`` or ``result`` of a request."""
        return self.ask("GET", f"/v1/requests/{request_id}/{what}", request_id, params=query)

    def cancel(self, request_id: str) -> Seen:
        return self.ask("POST", f"/v1/requests/{request_id}/cancel", request_id)

    def wait_for(self, request_id: str, word: str) -> Seen:
        """The status, once it says this."""

        def look() -> Seen | None:
            seen = self.look(request_id, "status")
            return seen if seen.word == word else None

        return eventually(look, f"{self.name} says {word}")

    def wait_for_cost(self, request_id: str) -> float:
        """What it cost, once that is told: it can come later than the result."""

        def look() -> float | None:
            cost: float | None = self.look(request_id, "result", include_cost="true").body.get(
                "cost"
            )
            return cost

        return eventually(look, f"{self.name} tells the cost")

    def ask(self, method: str, path: str, request_id: str | None = None, **more: Any) -> Seen:
        """Any call, and its answer made comparable."""
        return self._seen(self.send(method, path, **more), request_id)

    def send(
        self, method: str, path: str, *, authorization: str | None = None, **more: Any
    ) -> httpx.Response:
        """Any call, with this client's token unless the test has another header to send."""
        sent = f"Bearer {self.token}" if authorization is None else authorization
        headers = {"Authorization": sent} if sent else {}
        return self.http.request(method, self.base + path, headers=headers, **more)

    def _seen(self, answer: httpx.Response, request_id: str | None) -> Seen:
        media_type = answer.headers["Content-Type"].partition(";")[0]
        if answer.is_success:
            body = _comparable(answer.json(), lambda text: self._without_ids(text, request_id))
            return Seen(answer.status_code, media_type, body)
        return Seen(answer.status_code, "error", _error(answer.json()))

    def _without_ids(self, text: str, request_id: str | None) -> str:
        known = OUTPUT.sub(r"<output>\1", text).replace(self.base, "<base>")
        return known.replace(request_id, "<id>") if request_id else known


#: A request at each of both, by who was asked for it.
Ids = dict[Caller, str]


class Both:
    """RunComfy itself and Darkroom in front of it, asked the same."""

    def __init__(self, runcomfy: Caller, darkroom: Caller) -> None:
        self._callers = (runcomfy, darkroom)

    def answer(self, ask: Callable[[Caller], Seen]) -> Seen:
        """What both answer, which is the same."""
        by_runcomfy, by_darkroom = (ask(caller) for caller in self._callers)
        assert by_darkroom == by_runcomfy, f"{by_darkroom} is not {by_runcomfy}"
        return by_darkroom

    def submit(self, given: Any, model_id: str = IMAGE_MODEL) -> Ids:
        """A request at each."""
        return {caller: caller.submit(given, model_id=model_id)[0] for caller in self._callers}

    def status(self, ids: Ids) -> Seen:
        return self.answer(lambda caller: caller.look(ids[caller], "status"))

    def result(self, ids: Ids, **query: str) -> Seen:
        return self.answer(lambda caller: caller.look(ids[caller], "result", **query))

    def cancel(self, ids: Ids) -> Seen:
        return self.answer(lambda caller: caller.cancel(ids[caller]))

    def wait_for(self, ids: Ids, word: str) -> Seen:
        """The status of both, once it says this."""
        return self.answer(lambda caller: caller.wait_for(ids[caller], word))

    def costs(self, ids: Ids) -> list[float]:
        """What each tells that it cost, once it is told."""
        return [caller.wait_for_cost(ids[caller]) for caller in self._callers]


def ok(**body: Any) -> Seen:
    """A success with this body."""
    return Seen(200, "application/json", body)


def refused(status_code: int, error_code: int) -> Seen:
    """A refusal with RunComfy's number for it."""
    return Seen(status_code, "error", {"error_code": error_code})


def _comparable(value: Any, rename: Callable[[str], str], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _comparable(inner, rename, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_comparable(inner, rename) for inner in value]
    if name in INSTANTS:
        assert INSTANT.fullmatch(value), value
        return "<instant>"
    if name == "queue_position":
        assert type(value) is int
        assert value >= 1
        return "<place>"
    return rename(value) if isinstance(value, str) else value


def _error(body: dict[str, Any]) -> dict[str, Any]:
    """What RunComfy documents of an error: the code, and the name that the message begins with."""
    code, message = body["error_code"], body["error_message"]
    assert type(code) is int
    assert len(message.split()) > 3
    if code in NAMES:
        assert message.startswith(f"{NAMES[code]}: "), message
    return {"error_code": code}
