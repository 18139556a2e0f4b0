"""The demo's questions to the parts: each over its public interface, as anybody would ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from ops.local import parts
from ops.local.example import INPUT, submit_url
from ops.local.stack import LocalStack
from ops.story import Json

#: Seconds that a part may take to answer: all of them are on this machine.
SECONDS_TO_ANSWER: Final = 3.0


@dataclass(frozen=True, slots=True)
class Output:
    """What an output URL gave."""

    url: str
    status: int
    content_type: str
    content: bytes


class DemoClient:
    """Asks the parts of a stack."""

    def __init__(self, stack: LocalStack) -> None:
        self._urls = stack.urls
        self._webhook = stack.webhook
        # This machine only, so never through a proxy that the environment may name.
        self._http = httpx.AsyncClient(timeout=SECONDS_TO_ANSWER, trust_env=False)
        self._origin = {"Authorization": f"Bearer {stack.api_key}"}
        user, _, password = stack.plan.flower_login.partition(":")
        self._flower_login = httpx.BasicAuth(user, password)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def submit(self) -> str:
        """Submit the page's example on the RunComfy-compatible route; its request id."""
        url = submit_url(self._urls[parts.GATEWAY], self._webhook)
        answer = await self._http.post(url, json=INPUT, headers=self._origin)
        answer.raise_for_status()
        return str(answer.json()["request_id"])

    async def record(self, generation_id: str) -> Json:
        """The native record."""
        return await self._get(parts.GATEWAY, f"/v1/generations/{generation_id}")

    async def result(self, generation_id: str) -> Json:
        """The result as a RunComfy client sees it."""
        return await self._get(parts.GATEWAY, f"/v1/requests/{generation_id}/result")

    async def callbacks(self) -> Sequence[Json]:
        """Everything that the inspector received."""
        found = await self._get(parts.INSPECTOR, "/api/callbacks")
        return list(found["callbacks"])

    async def ledger(self) -> Sequence[Json]:
        """Every submission that the simulator accepted, that is, would charge for."""
        found = await self._get(parts.SIMULATOR, "/_sim/ledger")
        return list(found["entries"])

    async def tasks(self, ids: Sequence[str]) -> list[Json]:
        """The tasks about these ids that Flower saw."""
        url = f"{self._urls[parts.FLOWER]}/api/tasks"
        answer = await self._http.get(url, auth=self._flower_login)
        answer.raise_for_status()
        seen = answer.json().values()
        return [task for task in seen if any(one in str(task["args"]) for one in ids)]

    async def output(self, url: str) -> Output:
        """What an output URL gives."""
        answer = await self._http.get(url)
        content_type = answer.headers.get("content-type", "")
        return Output(url, answer.status_code, content_type, answer.content)

    async def _get(self, part: str, path: str) -> dict[str, Any]:
        headers = self._origin if part == parts.GATEWAY else {}
        answer = await self._http.get(f"{self._urls[part]}{path}", headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
