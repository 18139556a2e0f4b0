"""The client that sends callbacks: one POST, no redirects, little of the answer read."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport

from generations.addresses import Allowed, check_host
from generations.errors import EndpointUnavailable
from worker.answers import Answer
from worker.resolver import checked_session

#: How much of an endpoint's answer is read, in bytes.
LONGEST_ANSWER: Final = 64 * 1024

FAILURES: Final = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    UnicodeError,  # What httpx lets through of a host that is no IDNA.
)


class CallbackSender:
    """Sends callbacks to endpoints that may be called."""

    def __init__(
        self,
        *,
        allowed: Allowed,
        attempt_timeout: timedelta,
        connect_timeout: timedelta,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """The resolver finds addresses, which are checked all the same; default: the system's."""
        self._allowed = allowed
        self._seconds = attempt_timeout.total_seconds()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(self._seconds, connect=connect_timeout.total_seconds()),
            transport=AiohttpTransport(client=lambda: checked_session(allowed, resolver)),
            # Nothing of one endpoint's is kept, whatever it sends.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
        )

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST a callback once, and return the endpoint's answer, whatever it says.

        Raises:
            AddressNotAllowed: the endpoint's address may not be called.
            EndpointUnavailable: no answer came within the attempt's time.
        """
        try:
            # As it is dialled. A literal address never reaches the resolver.
            check_host(httpx.URL(url).raw_host.decode(), self._allowed)
            async with asyncio.timeout(self._seconds):
                return await self._post(url, body, headers)
        except TimeoutError as exc:
            raise EndpointUnavailable("The endpoint did not answer in time.") from exc
        except FAILURES as exc:
            raise EndpointUnavailable(
                f"The endpoint could not be reached ({type(exc.__cause__ or exc).__name__})."
            ) from exc

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            read = bytearray()
            async for part in response.aiter_raw():
                read += part
                if len(read) > LONGEST_ANSWER:
                    break
            return Answer(
                response.status_code, dict(response.headers), bytes(read[:LONGEST_ANSWER])
            )
