"""Callbacks through a proxy, over real sockets, and whose fault is what goes wrong there."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from generations.addresses import Allowed
from generations.endpoint_health import Verdict
from generations.errors import (
    AddressNotAllowed,
    EgressProxyUnavailable,
    EndpointUnavailable,
    HttpsRequired,
)
from tests.integration.raw_server import (
    Behaviour,
    RawServer,
    close,
    hang,
    responding,
    serving,
    unused_port,
)
from worker.answers import Answer
from worker.delivery import judge
from worker.webhooks.sender import CallbackSender

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Nobody resolves it here.
HTTP = "http://studio.invalid/hook?a=b"
HTTPS = "https://studio.invalid/hook"


def a_sender(proxy: str, *, allowed: Allowed | None = None, seconds: float = 10) -> CallbackSender:
    return CallbackSender(
        allowed=allowed or Allowed(),
        attempt_timeout=timedelta(seconds=seconds),
        connect_timeout=timedelta(seconds=seconds),
        proxy=proxy,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy() -> AsyncIterator[RawServer]:
    async with serving(close) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def sender(proxy: RawServer) -> AsyncIterator[CallbackSender]:
    made = a_sender(proxy.url.replace("//", "//user:p%40ss@"))
    yield made
    await made.close()


async def sent(url: str, sender: CallbackSender) -> Answer | EndpointUnavailable:
    try:
        return await sender.send(url, b"{}", {"content-type": "application/json"})
    except EndpointUnavailable as exc:
        return exc


async def test_http_is_asked_of_the_proxy(proxy: RawServer, sender: CallbackSender) -> None:
    proxy.begin(responding(b"taken"))
    answer = await sent(HTTP, sender)
    assert isinstance(answer, Answer)
    assert (answer.status_code, answer.body) == (200, b"taken")
    # Whom the proxy dialled is not known here.
    assert answer.address is None
    (request,) = proxy.requests
    assert request.startswith(f"POST {HTTP} HTTP/1.1\r\n".encode())
    assert b"\r\nproxy-authorization: basic dxnlcjpwqhnz\r\n" in request.lower()


async def test_https_goes_through_a_tunnel(proxy: RawServer, sender: CallbackSender) -> None:
    heard = asyncio.get_running_loop().create_future()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        heard.set_result(await reader.readexactly(3))
        writer.close()

    proxy.begin(tunnel)
    failed = await sent(HTTPS, sender)
    assert proxy.requests[0].startswith(b"CONNECT studio.invalid:443 HTTP/1.1\r\n")
    # The endpoint itself is spoken to in TLS: a handshake, and nothing that the proxy can read.
    assert (await heard)[:2] == b"\x16\x03"
    assert not isinstance(failed, EgressProxyUnavailable)


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "[::ffff:10.0.0.1]", "localhost"])
async def test_an_address_that_is_spelled_out_is_checked_before(
    host: str, proxy: RawServer, sender: CallbackSender
) -> None:
    proxy.begin(responding())
    with pytest.raises(AddressNotAllowed):
        await sender.send(f"http://{host}/", b"{}", {})
    assert proxy.connections == 0


async def test_https_alone_is_checked_before(proxy: RawServer) -> None:
    proxy.begin(responding())
    strict = a_sender(proxy.url, allowed=Allowed(https_only=True))
    with pytest.raises(HttpsRequired):
        await strict.send(HTTP, b"{}", {})
    await strict.close()
    assert proxy.connections == 0


def marked(status: str, *headers: str) -> Behaviour:
    return responding(b"<html>", status=f"{status} Whatever", headers=headers)


SQUID = "X-Squid-Error: ERR_DNS_FAIL 0"
SMOKESCREEN = "X-Smokescreen-Error: denied"
STATUS = "Proxy-Status: egress; error=dns_timeout"
PASSED = "Proxy-Status: egress"


@pytest.mark.parametrize(
    ("url", "behaviour", "verdict"),
    [
        # It refused, or is broken itself: nothing is known of the endpoint.
        (HTTPS, marked("407"), Verdict.NONE),
        (HTTPS, marked("403"), Verdict.NONE),
        (HTTPS, marked("500"), Verdict.NONE),
        (HTTP, marked("407"), Verdict.NONE),
        (HTTP, marked("403", SQUID), Verdict.NONE),
        (HTTP, marked("403", SMOKESCREEN), Verdict.NONE),
        # It could not reach the endpoint.
        (HTTPS, marked("502"), Verdict.FAILED),
        (HTTPS, marked("503"), Verdict.FAILED),
        (HTTPS, marked("504"), Verdict.FAILED),
        (HTTP, marked("502", STATUS), Verdict.FAILED),
        (HTTP, marked("503", SQUID), Verdict.FAILED),
        (HTTP, close, Verdict.FAILED),
        (HTTP, hang, Verdict.FAILED),
    ],
)
async def test_what_the_proxy_says_is_never_the_endpoints_answer(
    url: str, behaviour: Behaviour, verdict: Verdict, proxy: RawServer
) -> None:
    proxy.begin(behaviour)
    hasty = a_sender(proxy.url, seconds=0.5)
    failed = await sent(url, hasty)
    await hasty.close()
    assert isinstance(failed, EndpointUnavailable)
    assert judge(failed) is verdict
    assert failed.address is None


@pytest.mark.parametrize("status", [200, 403, 502, 503])
@pytest.mark.parametrize("headers", [(), (PASSED,)])
async def test_what_the_endpoint_says_through_the_proxy_is_its_answer(
    status: int, headers: tuple[str, ...], proxy: RawServer, sender: CallbackSender
) -> None:
    proxy.begin(marked(str(status), *headers))
    answer = await sent(HTTP, sender)
    assert isinstance(answer, Answer)
    assert answer.status_code == status


@pytest.mark.parametrize("url", [HTTP, HTTPS])
async def test_a_proxy_that_is_not_there_is_nobodys_failure(url: str) -> None:
    sender = a_sender(f"http://127.0.0.1:{unused_port()}")
    failed = await sent(url, sender)
    await sender.close()
    assert isinstance(failed, EgressProxyUnavailable)
    assert judge(failed) is Verdict.NONE
    assert "proxy" in failed.message
