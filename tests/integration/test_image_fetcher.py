"""Heads of images over real sockets: what is asked for, what is read, and where none goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio

from generations.addresses import Allowed
from generations.dialect import ImageFacts
from generations.errors import AddressNotAllowed, DarkroomError, EndpointUnavailable
from tests.images import an_image
from tests.integration.raw_server import (
    Behaviour,
    RawServer,
    close,
    dripping,
    flooding,
    hang,
    reset,
    responding,
    serving,
    unused_port,
)
from tests.integration.test_callback_sender import PlayedResolver
from worker.images.fetcher import REDIRECTS, ImageFetcher
from worker.images.head import LONGEST_HEAD

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOPBACK = Allowed.parse(["127.0.0.1"])
FILE = an_image(640, 480, noisy=True)
RANGE = f"Content-Range: bytes 0-{LONGEST_HEAD - 1}/{len(FILE)}"
IN_PART = responding(FILE[:LONGEST_HEAD], status="206 Partial Content", headers=(RANGE,))
FACTS = ImageFacts(640, 480, len(FILE))


def a_fetcher(
    *answers: Sequence[str], allowed: Allowed = LOOPBACK, seconds: float = 10
) -> ImageFetcher:
    return ImageFetcher(
        allowed=allowed,
        timeout=timedelta(seconds=seconds),
        connect_timeout=timedelta(seconds=seconds),
        resolver=PlayedResolver(*answers or [()]),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw() -> AsyncIterator[RawServer]:
    async with serving(close) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fetcher() -> AsyncIterator[ImageFetcher]:
    made = a_fetcher()
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hurried() -> AsyncIterator[ImageFetcher]:
    made = a_fetcher(seconds=0.3)
    yield made
    await made.close()


async def test_only_the_head_is_asked_for_and_nothing_is_told(
    fetcher: ImageFetcher, raw: RawServer
) -> None:
    raw.begin(IN_PART)
    assert await fetcher.look(f"{raw.url}/cat.png?sig=1") == FACTS
    (request,) = raw.requests
    head = request.decode().lower()
    assert head.startswith("get /cat.png?sig=1 http/1.1\r\n")
    assert f"\r\nrange: bytes=0-{LONGEST_HEAD - 1}\r\n" in head
    assert "\r\naccept-encoding: identity\r\n" in head
    assert "authorization" not in head
    assert "cookie" not in head


async def test_a_host_that_sends_the_whole_file_is_left_early(
    fetcher: ImageFetcher, raw: RawServer
) -> None:
    endless = flooding(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + FILE, part=b"x" * 2**16
    )
    raw.begin(endless)
    assert await fetcher.look(raw.url) == ImageFacts(640, 480, 99999999999)


async def test_no_more_than_a_head_is_read_of_what_is_no_image(
    fetcher: ImageFetcher, raw: RawServer
) -> None:
    raw.begin(flooding(b"HTTP/1.1 200 OK\r\n\r\n", part=b"x" * 2**16))
    assert await fetcher.look(raw.url) == ImageFacts()


async def test_a_page_tells_its_length_only(fetcher: ImageFetcher, raw: RawServer) -> None:
    raw.begin(responding(b"<html>"))
    assert await fetcher.look(raw.url) == ImageFacts(file_size=6)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "308 Permanent"])
async def test_a_redirect_is_followed(fetcher: ImageFetcher, raw: RawServer, status: str) -> None:
    async with serving(IN_PART) as other:
        raw.begin(responding(status=status, headers=(f"Location: {other.url}/cat.png",)))
        assert await fetcher.look(raw.url) == FACTS


async def test_redirects_come_to_an_end(fetcher: ImageFetcher, raw: RawServer) -> None:
    raw.begin(responding(status="302 Found", headers=("Location: /again",)))
    with pytest.raises(EndpointUnavailable):
        await fetcher.look(raw.url)
    assert len(raw.requests) == 1 + REDIRECTS


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{}/",
        "http://localhost:{}/",
        "http://2130706434:{}/",
        "http://[::1]:{}/",
        "http://images.internal:{}/",
        "http://user:secret@127.0.0.1:{}/",
        "ftp://127.0.0.1:{}/",
        "file:///etc/hostname",
    ],
)
async def test_a_redirect_leads_to_no_private_address(raw: RawServer, location: str) -> None:
    fetcher = a_fetcher(["10.0.0.1"])
    async with serving(IN_PART) as other:
        to = location.format(other.port)
        raw.begin(responding(status="302 Found", headers=(f"Location: {to}",)))
        with pytest.raises((AddressNotAllowed, EndpointUnavailable)):
            await fetcher.look(raw.url)
        assert len(raw.requests) == 1
        assert other.connections == 0
    await fetcher.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{}/",
        "http://localhost:{}/",
        "http://127.1:{}/",
        "http://0x7f.1:{}/",
        "http://[::ffff:127.0.0.1]:{}/",
        "http://images.example:{}/",
        "http://user:secret@images.example:{}/",
    ],
)
async def test_private_addresses_are_not_called(raw: RawServer, url: str) -> None:
    raw.begin(IN_PART)
    fetcher = a_fetcher(["127.0.0.1"], allowed=Allowed())
    with pytest.raises(AddressNotAllowed):
        await fetcher.look(url.format(raw.port))
    await fetcher.close()
    assert raw.connections == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        close,
        reset,
        hang,
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", every=0.05),
        responding(status="404 Not Found"),
        responding(status="416 Range Not Satisfiable"),
        responding(status="302 Found"),
        responding(status="302 Found", headers=("Location: http://[",)),
    ],
)
async def test_what_cannot_be_fetched_in_time_is_no_answer(
    hurried: ImageFetcher, raw: RawServer, behaviour: Behaviour
) -> None:
    raw.begin(behaviour)
    with pytest.raises(DarkroomError) as failed:
        await hurried.look(f"{raw.url}/?sig=secret")
    assert isinstance(failed.value, EndpointUnavailable)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/", "http://", "http://[", "http://\u00df.\u00df/"]
)
async def test_a_url_that_leads_nowhere(hurried: ImageFetcher, url: str) -> None:
    with pytest.raises((EndpointUnavailable, AddressNotAllowed)):
        await hurried.look(url.format(unused_port()))


async def test_many_at_once_share_the_time_of_one(hurried: ImageFetcher, raw: RawServer) -> None:
    raw.begin(hang)
    looks = (hurried.look(raw.url) for _ in range(100))
    async with asyncio.timeout(5):
        found = await asyncio.gather(*looks, return_exceptions=True)
    assert all(isinstance(one, EndpointUnavailable) for one in found)
