"""The client that sends callbacks: one POST, no redirects, little of the answer read."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from generations.addresses import Allowed, check_host
from generations.errors import EndpointUnavailable
from worker.answers import Answer
from worker.resolver import checked_session, noting_address

#: How much of an endpoint's answer is read, in bytes.
LONGEST_ANSWER: Final = 64 * 1024
#: For how long it is read, in seconds, once its head is there: the head has told all that
#: counts, and who sends the rest a byte at a time is not waited for.
LONGEST_READ: Final = 2.0

FAILURES: Final = (
    aiohttp.ClientError,
    ValueError,  # What yarl says of a URL that it does not read; UnicodeError is one.
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
        self._resolver = resolver
        self._seconds = attempt_timeout.total_seconds()
        # Without what aiohttp adds of its own: from finding the address to the last of TLS.
        self._timeout = aiohttp.ClientTimeout(connect=connect_timeout.total_seconds())
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST a callback once, and return the endpoint's answer, whatever it says.

        Raises:
            AddressNotAllowed: the endpoint's address may not be called.
            EndpointUnavailable: no answer came within the attempt's time.
        """
        with noting_address() as dialled:
            try:
                endpoint = URL(url)
                # As it is dialled. A literal address never reaches the resolver.
                check_host(endpoint.raw_host or "", self._allowed)
                async with asyncio.timeout(self._seconds) as limit:
                    status_code, found, read = await self._post(endpoint, body, headers, limit)
            except TimeoutError as exc:
                said = "The endpoint did not answer in time."
                raise EndpointUnavailable(said, address=dialled.address) from exc
            except FAILURES as exc:
                said = f"The endpoint could not be reached ({type(exc).__name__})."
                raise EndpointUnavailable(said, address=dialled.address) from exc
        return Answer(status_code, found, read, dialled.address)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _post(
        self, url: URL, body: bytes, headers: Mapping[str, str], limit: asyncio.Timeout
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"accept": "*/*", "accept-encoding": "identity", **headers}
        posting = self._opened().post(
            url, data=body, headers=sent, allow_redirects=False, timeout=self._timeout
        )
        async with posting as response:
            until = asyncio.get_running_loop().time() + LONGEST_READ
            until = min(until, limit.when() or until)
            # From here on there is an answer, whatever becomes of its body.
            limit.reschedule(None)
            return response.status, _headers(response), await _read(response, until=until)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = checked_session(self._allowed, self._resolver)
        return self._session


async def _read(response: aiohttp.ClientResponse, *, until: float) -> bytes:
    """The answer's body, as far as it comes; its status counts, however the body ends."""
    read = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout_at(until):
            while len(read) < LONGEST_ANSWER and not response.content.at_eof():
                read += await response.content.read(LONGEST_ANSWER - len(read))
    if not response.content.at_eof():
        # What still comes is nobody's to read.
        response.close()
    return bytes(read)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """By their names in lower case; of several alike, the first."""
    found: dict[str, str] = {}
    for name, value in response.raw_headers:
        found.setdefault(name.decode(errors="replace").lower(), value.decode(errors="replace"))
    return found
