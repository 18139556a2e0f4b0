"""The client that fetches the first bytes of images: to allowed addresses, and no more of them."""

import asyncio
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport

from generations.addresses import Allowed, check_host
from generations.dialect import ImageFacts
from generations.errors import AddressNotAllowed, EndpointUnavailable
from worker.images.head import LONGEST_HEAD, facts_of, file_size_of, read_size
from worker.resolver import checked_session

#: How many redirects are followed; each of their hosts is checked as the first one is.
REDIRECTS: Final = 3
#: How many images one process fetches at once: each may take its head's length of memory.
AT_ONCE: Final = 32

#: With so many bytes there, it is first tried whether they tell enough.
FIRST_LOOK: Final = 1024

FAILURES: Final = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    TimeoutError,
    UnicodeError,  # What httpx lets through of a host that is no IDNA.
)


class ImageFetcher:
    """Reads the heads of images that origins named."""

    def __init__(
        self,
        *,
        allowed: Allowed,
        timeout: timedelta,
        connect_timeout: timedelta,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """The resolver finds addresses, which are checked all the same; default: the system's."""
        self._allowed = allowed
        self._seconds = timeout.total_seconds()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._client = httpx.AsyncClient(
            headers={
                "User-Agent": "darkroom",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                "Range": f"bytes=0-{LONGEST_HEAD - 1}",
            },
            timeout=httpx.Timeout(self._seconds, connect=connect_timeout.total_seconds()),
            transport=AiohttpTransport(client=lambda: checked_session(allowed, resolver)),
            # Nothing of one host's is kept, whatever it sends.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
        )

    async def look(self, url: str) -> ImageFacts:
        """What the first bytes of an image tell.

        Raises:
            AddressNotAllowed: its address, or one it redirects to, may not be called.
            EndpointUnavailable: it could not be fetched in time.
        """
        try:
            # Waiting for a place counts too: nobody waits longer for one image than for any.
            async with asyncio.timeout(self._seconds), self._places:
                return await self._follow(httpx.URL(url))
        except FAILURES as exc:
            name = type(exc.__cause__ or exc).__name__
            raise EndpointUnavailable(f"The image could not be fetched ({name}).") from exc

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _follow(self, url: httpx.URL) -> ImageFacts:
        for _ in range(1 + REDIRECTS):
            if url.scheme not in {"http", "https"} or url.userinfo:
                raise AddressNotAllowed
            # As it is dialled. A literal address never reaches the resolver.
            check_host(url.raw_host.decode(), self._allowed)
            async with self._client.stream("GET", url) as response:
                if response.next_request is None:
                    return await _read(response)
                url = response.next_request.url
        raise EndpointUnavailable("The image is redirected too often.")


async def _read(response: httpx.Response) -> ImageFacts:
    if response.status_code not in {200, 206}:
        raise EndpointUnavailable(f"The image's host answered {response.status_code}.")
    head, enough = bytearray(), FIRST_LOOK
    async for part in response.aiter_raw():
        head += part
        if len(head) >= LONGEST_HEAD:
            break
        if len(head) >= enough:
            if read_size(bytes(head)):
                break
            enough = 2 * len(head)  # However small the parts are, the looks are few.
    file_size = file_size_of(response.status_code, dict(response.headers))
    return facts_of(bytes(head[:LONGEST_HEAD]), file_size=file_size)
