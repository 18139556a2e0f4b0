"""A caller of a gateway, as any origin is one: over HTTP, with an API key."""

from collections.abc import Mapping
from typing import Any, Final, Self

import httpx

from ops.following import Look
from ops.local.errors import CannotRun
from ops.local.folder import Folder
from ops.local.settings import CallerSettings
from ops.story import Json

SECONDS_TO_ANSWER: Final = 15.0
#: How long one look waits for a move. Places in a queue change without one.
LOOK_SECONDS: Final = 1


class NoGateway(CannotRun):
    """Neither the environment nor a running 'darkroom up' says where the gateway is."""


class GatewayRefused(CannotRun):
    """The gateway did not do what it was asked for."""


class GatewayClient:
    """Submits generations and looks at them."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=SECONDS_TO_ANSWER,
        )

    @classmethod
    def found(cls, folder: Folder) -> Self:
        """The gateway that the environment names, else that of a running ``darkroom up``.

        Raises:
            NoGateway: there is none, or no key for it.
        """
        named, kept = CallerSettings(), folder.read() if folder.is_locked else None
        url = str(named.gateway_url or "") or (kept.urls.get("gateway") if kept else None)
        # The key of a local stack is for that stack alone.
        known = named.api_key or (kept.api_key if kept and not named.gateway_url else None)
        if not url:
            raise NoGateway(
                "Set DARKROOM_GATEWAY_URL to a gateway's address, or start 'darkroom up'."
            )
        if known is None:
            raise NoGateway(
                "Set DARKROOM_API_KEY to a key of the gateway; 'darkroom keys create' makes one."
            )
        return cls(url, known.get_secret_value())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def create(self, asked: Mapping[str, Any], *, idempotency_key: str | None) -> Json:
        """Create a generation; its native record.

        Raises:
            GatewayRefused: in the gateway's own words.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await self._ask("POST", "/v1/generations", json=asked, headers=headers)

    async def record(self, generation_id: str, *, wait: int) -> Json:
        """The native record when it has moved, or after so many seconds."""
        return await self._ask("GET", f"/v1/generations/{generation_id}", params={"wait": wait})

    def look_at(self, record: Json) -> Look:
        """Looks at what was just created."""
        seen = [record]

        async def look() -> Json:
            return seen.pop() if seen else await self.record(record["id"], wait=LOOK_SECONDS)

        return look

    async def _ask(self, method: str, path: str, **more: Any) -> Json:
        try:
            answer = await self._http.request(method, path, **more)
            said: Json = answer.json()
        except (httpx.HTTPError, ValueError) as exc:
            reason = type(exc).__name__
            raise GatewayRefused(f"{self._url} gave no usable answer ({reason}).") from exc
        if answer.is_success:
            return said
        raise GatewayRefused(_sentence(answer.status_code, said))


def _sentence(status_code: int, said: Json) -> str:
    """A problem as a person reads it, with each field at fault on a line of its own."""
    detail = said.get("detail") or f"The gateway answered {status_code}."
    faults = [f"\n  {one['pointer']}  {one['message']}" for one in said.get("errors") or ()]
    return f"{detail}{''.join(faults)}"
