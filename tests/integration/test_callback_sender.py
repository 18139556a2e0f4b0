"""Callbacks over real sockets: what is sent, what is read of the answer, and where none goes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult

from generations.addresses import Allowed
from generations.errors import AddressNotAllowed, EndpointUnavailable
from tests.integration.raw_server import (
    JSON_HEAD,
    Behaviour,
    RawServer,
    answering,
    close,
    dripping,
    flooding,
    hang,
    reset,
    responding,
    serving,
    unused_port,
)
from worker.webhooks.sender import LONGEST_ANSWER, CallbackSender

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = '{"type":"generation.succeeded","data":{"prompt":"ein Bär 🐻"}}'.encode()
HEADERS = {"content-type": "application/json", "webhook-id": "evt_1", "user-agent": "darkroom"}
LOOPBACK = Allowed.parse(["127.0.0.1"])
CHUNKED = JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = b"%x\r\n" % 2**20 + b"a" * 2**20 + b"\r\n"
TAKEN_AND_CLOSED = answering(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


#: One of each range that no name may lead to.
NOT_PUBLIC = """
    0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.2 169.254.169.254 172.16.0.1 192.0.0.1 192.0.2.1
    192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1
    255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::7f00:1 64:ff9b::7f00:1
    64:ff9b:1::a00:1 100::1 2001::1 2001:2::1 2001:db8::1 2002:7f00:1:: 3fff::1 5f00::1 fc00::1
    fd00:ec2::254 fe80::1 fe80::1%2 fec0::1 ff02::1
"""


class PlayedResolver(AbstractResolver):
    """Finds for any name what the test wrote down, one answer after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # aiohttp asks so
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=family_of(address), proto=0, flags=0
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def a_sender(
    *answers: Sequence[str], allowed: Allowed = LOOPBACK, seconds: float = 10
) -> tuple[CallbackSender, PlayedResolver]:
    resolver = PlayedResolver(*answers or [()])
    made = CallbackSender(
        allowed=allowed,
        attempt_timeout=timedelta(seconds=seconds),
        connect_timeout=timedelta(seconds=2),
        resolver=resolver,
    )
    return made, resolver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw() -> AsyncIterator[RawServer]:
    async with serving(close) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender() -> AsyncIterator[CallbackSender]:
    """May call 127.0.0.1."""
    made, _ = a_sender()
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty() -> AsyncIterator[CallbackSender]:
    """May call 127.0.0.1, for 0.3 s."""
    made, _ = a_sender(seconds=0.3)
    yield made
    await made.close()


async def test_a_callback_is_sent_byte_for_byte(raw: RawServer, sender: CallbackSender) -> None:
    raw.begin(responding(b"ok", headers=("Retry-After: 7",)))
    answer = await sender.send(f"{raw.url}/a%2Fb?token=a%2Bb%3D%26&b=%C3%A4", BODY, HEADERS)
    assert (answer.status_code, answer.body) == (200, b"ok")
    assert answer.headers["retry-after"] == "7"
    (request,) = raw.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(b"POST /a%2Fb?token=a%2Bb%3D%26&b=%C3%A4 HTTP/1.1\r\n")
    for name, value in HEADERS.items():
        assert f"{name}: {value}".encode() in head.lower()


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 410, 429, 500, 503])
async def test_any_answer_is_handed_on(status: int, raw: RawServer, sender: CallbackSender) -> None:
    async with serving(responding(b"elsewhere")) as elsewhere:
        location = (f"Location: {elsewhere.url}/",)
        raw.begin(responding(status=f"{status} Whatever", headers=location))
        assert (await sender.send(raw.url, BODY, HEADERS)).status_code == status
        assert len(raw.requests) == 1
        # No redirect is followed.
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        flooding(CHUNKED, part=MIB),
        responding(b"a" * (LONGEST_ANSWER + 1)),
        responding(b"a" * LONGEST_ANSWER * 4, status="500 Whatever"),
    ],
)
async def test_of_a_huge_answer_64_kib_are_read(
    behaviour: Behaviour, raw: RawServer, sender: CallbackSender
) -> None:
    raw.begin(behaviour)
    answer = await sender.send(raw.url, BODY, HEADERS)
    assert answer.body == b"a" * 64 * 1024
    # The connection that still floods is not used again.
    raw.begin(responding(b"ok"))
    assert (await sender.send(raw.url, BODY, HEADERS)).body == b"ok"


@pytest.mark.parametrize(
    "behaviour",
    [
        hang,
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", every=0.05),
    ],
)
async def test_a_slow_answer_ends_with_the_attempt(
    behaviour: Behaviour, raw: RawServer, hasty: CallbackSender
) -> None:
    raw.begin(behaviour)
    async with asyncio.timeout(5):
        with pytest.raises(EndpointUnavailable) as unanswered:
            await hasty.send(raw.url, BODY, HEADERS)
    assert unanswered.value.address == "127.0.0.1"


@pytest.mark.parametrize(
    "behaviour",
    [
        dripping(JSON_HEAD + b"Content-Length: 1000\r\n\r\n", every=0.05),
        answering(JSON_HEAD + b"Content-Length: 99\r\n\r\n{"),
        responding(b"{", status="200", headers=("Content-Encoding: gzip",)),
    ],
)
async def test_the_head_of_an_answer_settles_it(
    behaviour: Behaviour, raw: RawServer, hasty: CallbackSender
) -> None:
    raw.begin(behaviour)
    async with asyncio.timeout(5):
        answer = await hasty.send(raw.url, BODY, HEADERS)
    assert (answer.status_code, answer.address) == (200, "127.0.0.1")
    # The connection of a body that did not end is not used again.
    raw.begin(responding(b"ok"))
    assert (await hasty.send(raw.url, BODY, HEADERS)).body == b"ok"


@pytest.mark.parametrize(
    "behaviour",
    [
        close,
        reset,
        answering(b"what?\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Le"),
        answering(JSON_HEAD + b"X: " + b"a" * 2**20 + b"\r\n\r\n"),
    ],
)
async def test_a_broken_answer_is_none(
    behaviour: Behaviour, raw: RawServer, sender: CallbackSender
) -> None:
    raw.begin(behaviour)
    with pytest.raises(EndpointUnavailable, match="could not be reached"):
        await sender.send(raw.url, BODY, HEADERS)


async def test_an_endpoint_that_is_not_there_is_unavailable(sender: CallbackSender) -> None:
    with pytest.raises(EndpointUnavailable):
        await sender.send(f"http://127.0.0.1:{unused_port()}/", BODY, HEADERS)


async def test_an_endpoint_without_tls_is_unavailable(
    raw: RawServer, hasty: CallbackSender
) -> None:
    raw.begin(responding())
    with pytest.raises(EndpointUnavailable):
        await hasty.send(raw.url.replace("http:", "https:"), BODY, HEADERS)
    assert raw.requests == []


async def test_cookies_are_not_kept(raw: RawServer, sender: CallbackSender) -> None:
    raw.begin(responding(headers=("Set-Cookie: session=1; Path=/",)))
    for _ in range(2):
        await sender.send(raw.url, BODY, HEADERS)
    assert not any(b"cookie:" in request.lower() for request in raw.requests)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "127。0。0。1",
        "127.0.0.1.",
        "0.0.0.0",
        "localhost",
        "api.localhost",
    ],
)
async def test_an_address_that_is_not_allowed_is_never_dialled(host: str, raw: RawServer) -> None:
    raw.begin(responding(b"reached"))
    sender, resolver = a_sender(["127.0.0.1"], allowed=Allowed())
    with pytest.raises(AddressNotAllowed):
        await sender.send(f"http://{host}:{raw.port}/", BODY, HEADERS)
    await sender.close()
    assert raw.connections == 0
    assert resolver.asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["what?"],
        *([address] for address in NOT_PUBLIC.split()),
    ],
)
async def test_a_name_that_resolves_to_one_is_not_called(
    addresses: list[str], raw: RawServer
) -> None:
    raw.begin(responding(b"reached"))
    sender, resolver = a_sender(addresses, allowed=Allowed())
    with pytest.raises(AddressNotAllowed):
        await sender.send(f"http://studio.example:{raw.port}/", BODY, HEADERS)
    await sender.close()
    assert resolver.asked == ["studio.example"]
    assert raw.connections == 0


async def test_a_name_that_is_pointed_elsewhere_is_checked_again(raw: RawServer) -> None:
    raw.begin(TAKEN_AND_CLOSED)
    sender, resolver = a_sender(["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"])
    url = f"http://studio.example:{raw.port}/"
    # Asked once for each connection: there is no second answer that could be dialled instead.
    assert (await sender.send(url, BODY, HEADERS)).status_code == 204
    assert len(resolver.asked) == 1
    with pytest.raises(AddressNotAllowed):
        await sender.send(url, BODY, HEADERS)
    assert len(resolver.asked) == 2
    assert (await sender.send(url, BODY, HEADERS)).status_code == 204
    await sender.close()
    assert raw.connections == 2
    assert all(b"\r\nhost: studio.example:" in request.lower() for request in raw.requests)


async def test_a_name_that_is_allowed_may_resolve_to_anything(raw: RawServer) -> None:
    raw.begin(responding(b"reached"))
    sender, _ = a_sender(["127.0.0.1"], allowed=Allowed.parse(["Studio.internal."]))
    for host in ("studio.internal", "STUDIO.internal", "studio.internal."):
        answer = await sender.send(f"http://{host}:{raw.port}/", BODY, HEADERS)
        assert answer.body == b"reached"
    await sender.close()


@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example", "a..example", "xn--.example", "no.invalid"]
)
async def test_what_is_no_name_is_unavailable(host: str) -> None:
    sender = CallbackSender(
        allowed=Allowed(),
        attempt_timeout=timedelta(seconds=10),
        connect_timeout=timedelta(seconds=10),
    )
    with pytest.raises(EndpointUnavailable):
        await sender.send(f"http://{host}/", BODY, HEADERS)
    await sender.close()


async def test_a_url_that_cannot_be_dialled_is_unavailable(sender: CallbackSender) -> None:
    for url in (
        "http://１２７.０.０.１/",
        "http://⒈.example/",
        "http://[v1.a]/",
        "http://a:99999/",
    ):
        with pytest.raises((EndpointUnavailable, AddressNotAllowed)):
            await sender.send(url, BODY, HEADERS)
