"""The client that sends callbacks: one POST, no redirects, little of the answer read."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from generations.addresses import Allowed, check_host, check_scheme
from generations.errors import EndpointUnavailable
from worker.answers import Answer
from worker.resolver import Dialled, checked_session, noting_address
from worker.webhooks.egress import check_whose, proxied_session, telling_proxy_from_endpoint

#: How much of an endpoint's answer is read, in bytes.
LONGEST_ANSWER: Final = 64 * 1024
#: For how long it is read, in seconds, once its head is there: the head has told all that
#: counts, and who sends the rest a byte at a time is not waited for.
LONGEST_READ: Final = 2.0
#: A connection that fails within so many seconds is tried once more at once: it may have been
#: a kept one that the endpoint had just closed, or an endpoint that just restarts.
REDIALLED_WITHIN: Final = 1.0
#: Callbacks that one process sends at once.
MOST_AT_ONCE: Final = 500

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
        proxy: str | None = None,
    ) -> None:
        """The resolver finds addresses, which are checked all the same; default: the system's.

        Where there is a proxy, it finds and checks them, but for those that a URL spells out.
        """
        self._allowed = allowed
        self._resolver = resolver
        self._proxy = proxy
        self._seconds = attempt_timeout.total_seconds()
        # From looking up the address to the last of TLS.
        self._timeout = aiohttp.ClientTimeout(connect=connect_timeout.total_seconds())
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST a callback once, and return the endpoint's answer, whatever it says.

        Raises:
            HttpsRequired, AddressNotAllowed: the endpoint may not be called.
            EgressProxyUnavailable: it was not called, because of the proxy.
            EndpointUnavailable: no answer came within the attempt's time.
        """
        async with self._room:
            with noting_address() as dialled:
                answer = await self._send(url, body, headers, dialled)
        return replace(answer, address=self._address(dialled), dials=dialled.dials)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _send(
        self, url: str, body: bytes, headers: Mapping[str, str], dialled: Dialled
    ) -> Answer:
        try:
            endpoint = URL(url)
            check_scheme(endpoint.scheme, self._allowed)
            # As it is dialled. A literal address never reaches the resolver.
            check_host(endpoint.raw_host or "", self._allowed)
            async with asyncio.timeout(self._seconds) as limit:
                return await self._post(endpoint, body, headers, dialled, limit)
        except TimeoutError as exc:
            failed = EndpointUnavailable("The endpoint did not answer in time.")
            raise self._with_facts(failed, dialled) from exc
        except EndpointUnavailable as exc:
            raise self._with_facts(exc, dialled) from exc.__cause__
        except FAILURES as exc:
            said = f"The endpoint could not be reached ({type(exc).__name__})."
            raise self._with_facts(EndpointUnavailable(said), dialled) from exc

    def _with_facts(self, error: EndpointUnavailable, dialled: Dialled) -> EndpointUnavailable:
        error.address, error.dials = self._address(dialled), dialled.dials
        return error

    def _address(self, dialled: Dialled) -> str | None:
        # The proxy's says nothing about the endpoint.
        return None if self._proxy else dialled.address

    async def _post(
        self,
        url: URL,
        body: bytes,
        headers: Mapping[str, str],
        dialled: Dialled,
        limit: asyncio.Timeout,
    ) -> Answer:
        now = asyncio.get_running_loop().time
        began = now()
        dialled.dials = 1
        try:
            return await self._post_once(url, body, headers, limit)
        except TimeoutError:
            raise
        except aiohttp.ClientConnectionError:
            if now() - began > REDIALLED_WITHIN:
                raise
        dialled.dials = 2
        return await self._post_once(url, body, headers, limit)

    async def _post_once(
        self, url: URL, body: bytes, headers: Mapping[str, str], limit: asyncio.Timeout
    ) -> Answer:
        sent = {"accept": "*/*", "accept-encoding": "identity", **headers}
        with telling_proxy_from_endpoint():
            posting = self._opened().post(
                url, data=body, headers=sent, allow_redirects=False, timeout=self._timeout
            )
            async with posting as response:
                until = asyncio.get_running_loop().time() + LONGEST_READ
                until = min(until, limit.when() or until)
                # From here on there is an answer, whatever becomes of its body.
                limit.reschedule(None)
                read = await _read(response, until=until)
        answer = Answer(response.status, _headers(response), read)
        if self._proxy:
            check_whose(answer)
        return answer

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = (
                proxied_session(self._proxy)
                if self._proxy
                else checked_session(self._allowed, self._resolver, connections=MOST_AT_ONCE)
            )
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
