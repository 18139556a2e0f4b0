"""A proxy between callbacks and their endpoints, and whose fault is what came of it.

What the proxy itself got wrong, or would not do, is not the endpoint's: it is never shown as
the endpoint's answer, and says nothing about the endpoint's health.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp

from generations.errors import EgressProxyUnavailable, EndpointUnavailable
from worker.answers import Answer

#: What a proxy answers where it could not reach, or not understand, who is behind it.
UNREACHED: Final = frozenset({502, 503, 504})
#: What proxies mark answers of their own with (RFC 9209, Squid, Smokescreen).
MARKS: Final = ("proxy-status", "x-squid-error", "x-smokescreen-error")


def proxied_session(proxy: str) -> aiohttp.ClientSession:
    """A session that connects to nothing but a proxy."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        proxy=proxy,
    )


@contextmanager
def telling_proxy_from_endpoint() -> Iterator[None]:
    """Raise a proxy's faults as what they are.

    Raises:
        EgressProxyUnavailable: the proxy cannot be reached, or refused to connect.
        EndpointUnavailable: it says that it could not reach the endpoint.
    """
    try:
        yield
    except aiohttp.ClientProxyConnectionError as exc:
        raise EgressProxyUnavailable("The egress proxy could not be reached.") from exc
    except aiohttp.ClientHttpProxyError as exc:
        raise _fault(exc.status) from exc


def check_whose(answer: Answer) -> None:
    """Accept an answer that came through a proxy as the endpoint's.

    Raises:
        EgressProxyUnavailable, EndpointUnavailable: the proxy gave it.
    """
    if answer.status_code == 407 or _is_marked(answer.headers):
        raise _fault(answer.status_code)


def _is_marked(headers: Mapping[str, str]) -> bool:
    # "Proxy-Status: name" alone says that it passed by.
    return any("error" in headers[mark] or mark != MARKS[0] for mark in MARKS if mark in headers)


def _fault(status_code: int) -> EndpointUnavailable:
    if status_code in UNREACHED:
        said = f"The egress proxy could not reach the endpoint ({status_code})."
        return EndpointUnavailable(said)
    return EgressProxyUnavailable(f"The egress proxy refused the callback ({status_code}).")
