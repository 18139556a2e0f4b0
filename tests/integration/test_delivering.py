"""One attempt of a delivery, from its claim to the record: a real store, and real sockets.

A row for each rule of HTTP that deliveries follow: what the endpoint does, and what becomes of
the delivery.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio

from generations.connection import key, read_hash
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Attempt
from generations.records import read_delivery
from generations.settings import WorkerSettings
from generations.steps import Lane, NewDelivery, Step
from generations.store import GenerationStore
from tests.builders import http_date
from tests.conftest import RedisServer
from tests.integration.claiming import LONG, accept, due_times, hold, now_ms, settled
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
from worker.claims import work_through
from worker.clients import Clients
from worker.delivery import GONE, REDIRECTED, attempt_once

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

#: The first wait of the schedule, with its jitter, in seconds.
FIRST: Final = (4.0, 6.0)
#: All waits of the schedule.
HORIZON: Final = 75 * 3600 + 35 * 60 + 5
METADATA: Final = ("Location: http://169.254.169.254/latest/meta-data/",)
NO_ANSWER: Final = "The endpoint did not answer in time."
GIB: Final = 2**30
NOW: Final = datetime.now(UTC)
MINUTES: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Row:
    """What an endpoint does, and what becomes of the delivery."""

    rule: str
    behaviour: Behaviour
    status: DeliveryStatus
    status_code: int | None
    error: str | None = None
    #: Seconds until the next attempt, from and to.
    wait: tuple[float, float] | None = None
    dials: int = 1

    def __str__(self) -> str:
        return self.rule


def delivered(rule: str, behaviour: Behaviour, status_code: int = 200, **facts: int) -> Row:
    return Row(rule, behaviour, DeliveryStatus.DELIVERED, status_code, **facts)  # type: ignore[arg-type]  # Dials.


def again(
    rule: str,
    behaviour: Behaviour,
    status_code: int | None,
    *,
    error: str | None = None,
    wait: tuple[float, float] = FIRST,
    dials: int = 1,
) -> Row:
    return Row(rule, behaviour, DeliveryStatus.PENDING, status_code, error, wait, dials)


def unreached(name: str) -> str:
    return f"The endpoint could not be reached ({name})."


def asking(status: str, *headers: str) -> Behaviour:
    return responding(status=f"{status} Whatever", headers=headers)


def first_then(first: Behaviour, then: Behaviour) -> Behaviour:
    """Behave otherwise at the first request than at the others."""
    to_come = [first]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (to_come.pop() if to_come else then)(reader, writer)

    return behave


def closing_after(seconds: float) -> Behaviour:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.close()

    return behave


MIB_OF_A_GIB = flooding(JSON_HEAD + f"Content-Length: {GIB}\r\n\r\n".encode(), part=b"a" * 2**20)

ROWS: Final = [
    *(delivered(f"{code} is success", asking(str(code)), code) for code in (200, 202, 204, 299)),
    *(
        again(f"{code} is followed nowhere", asking(str(code), *METADATA), code, error=REDIRECTED)
        for code in (301, 302, 303, 307, 308)
    ),
    *(again(f"{code} is failure", asking(str(code)), code) for code in (400, 401, 404, 422, 500)),
    Row("410 ends it", asking("410"), DeliveryStatus.EXHAUSTED, 410, GONE),
    *(
        again(f"{code} may ask for seconds", asking(code, "Retry-After: 600"), int(code), wait=wait)
        for code, wait in (("429", (595, 600)), ("503", (595, 600)), ("500", FIRST), ("404", FIRST))
    ),
    again(
        "a date counts from theirs",
        asking("429", f"Retry-After: {http_date(NOW + MINUTES)}", f"Date: {http_date(NOW)}"),
        429,
        wait=(595, 600),
    ),
    again(
        "a date may stand alone",
        asking("503", f"Retry-After: {http_date(NOW + 10 * MINUTES)}"),
        503,
        wait=(5000, 6001),
    ),
    again("less than the schedule", asking("429", "Retry-After: 1"), 429),
    again("what is no wait", asking("429", "Retry-After: soon"), 429),
    again(
        "never past the horizon",
        asking("503", "Retry-After: 999999"),
        503,
        wait=(HORIZON - 60, HORIZON),
    ),
    delivered("of 1 GB little is read", MIB_OF_A_GIB),
    again(
        "of 1 GB of an error too",
        flooding(b"HTTP/1.1 500 No\r\nContent-Length: 1073741824\r\n\r\n", part=b"a" * 2**20),
        500,
    ),
    delivered(
        "a body by the byte is cut",
        dripping(JSON_HEAD + b"Content-Length: 999\r\n\r\n", every=0.05),
    ),
    again(
        "a head by the byte is cut",
        dripping(b"HTTP/1.1 200 OK\r\nX: ", every=0.05),
        None,
        error=NO_ANSWER,
    ),
    again("no answer", hang, None, error=NO_ANSWER),
    again("closed twice", close, None, error=unreached("ServerDisconnectedError"), dials=2),
    again("reset twice", reset, None, error=unreached("ClientOSError"), dials=2),
    again("nonsense", answering(b"what?\r\n\r\n"), None, error=unreached("ClientResponseError")),
    delivered("closed once", first_then(close, responding()), dials=2),
    delivered("reset once", first_then(reset, responding()), dials=2),
    again(
        "closed late",
        closing_after(1.1),
        None,
        error=unreached("ServerDisconnectedError"),
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw() -> AsyncIterator[RawServer]:
    async with serving(close) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients_of_all(valkey_server: RedisServer) -> AsyncIterator[Clients]:
    settings = WorkerSettings.model_validate(
        {
            "redis_url": valkey_server.url(),
            "runcomfy_api_token": "rc-token",
            "webhook_allow": "127.0.0.1",
            "attempt_timeout": 1.5,
            "connect_timeout": 0.4,
        }
    )
    opened = await Clients.open(settings)
    yield opened
    await opened.close()


@pytest.fixture
def clients(clients_of_all: Clients, redis_url: str) -> Clients:
    """Those of the module, on an empty database."""
    assert redis_url
    return clients_of_all


async def deliver(url: str, clients: Clients) -> str:
    """Owe a delivery to a URL, and attempt it as a task does; its id."""
    store = GenerationStore(clients.redis, deadline=LONG, keep=LONG)
    generation = await accept(store, webhook=url)
    held, _ = await hold(clients.due, Lane.SUBMISSIONS)
    tell = NewDelivery(url, Status.FAILED, generation.origin)
    await settled(clients.due, held, Step(to=Status.FAILED, due=None, tell=tell))
    claims = await clients.due.claim({Lane.DELIVERIES: 1}, lease=LONG)
    taken = await clients.due.take_deliveries(claims, lease=LONG)
    await work_through(await clients.health.enter(taken), attempt_once, clients)
    return taken[0][0].id


async def attempted(url: str, clients: Clients) -> tuple[DeliveryStatus, Attempt, float | None]:
    """What is on record after one attempt: status, attempt, and seconds until the next."""
    delivery_id = await deliver(url, clients)
    found = read_delivery(delivery_id, await read_hash(clients.redis, key(delivery_id)))
    due = (await due_times(clients.redis, delivery_id)).get(Lane.DELIVERIES)
    (attempt,) = found.attempts
    return found.status, attempt, due and (due - await now_ms(clients.redis)) / 1000


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_delivery_follows_http(row: Row, raw: RawServer, clients: Clients) -> None:
    raw.begin(row.behaviour)
    async with asyncio.timeout(10):
        status, attempt, wait = await attempted(f"{raw.url}/hook", clients)
    assert (status, attempt.status_code, attempt.error) == (row.status, row.status_code, row.error)
    assert (attempt.address, attempt.dials) == ("127.0.0.1", row.dials)
    assert len(raw.requests) == row.dials
    assert len(attempt.response_body) <= 4096
    if row.wait is None:
        assert wait is None
    else:
        assert wait is not None
        # Some of it may have gone by since.
        assert row.wait[0] - 3 <= wait <= row.wait[1]


async def test_nobody_there_is_dialled_twice(clients: Clients) -> None:
    _, attempt, wait = await attempted(f"http://127.0.0.1:{unused_port()}/", clients)
    assert (attempt.dials, attempt.address) == (2, "127.0.0.1")
    assert attempt.error == unreached("ClientConnectorError")
    assert wait is not None


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port that takes no more connections, and refuses none."""
    with ExitStack() as opened:
        listening = opened.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield int(listening.getsockname()[1])


async def test_connecting_has_a_shorter_time_of_its_own(clients: Clients) -> None:
    with deaf_port() as port:
        _, attempt, _ = await attempted(f"http://127.0.0.1:{port}/", clients)
    assert attempt.error == NO_ANSWER
    assert (attempt.dials, attempt.address) == (1, "127.0.0.1")
    assert 400 <= attempt.duration_ms < 1500


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://0x7f.2/", "http://[::ffff:10.0.0.1]/", "http://[fe80::1]/"]
)
async def test_an_address_that_is_not_allowed_is_on_record_and_never_dialled(
    url: str, clients: Clients
) -> None:
    status, attempt, wait = await attempted(url, clients)
    assert status is DeliveryStatus.PENDING
    assert (attempt.dials, attempt.address, attempt.status_code) == (0, None, None)
    assert "not public" in str(attempt.error)
    assert wait is not None


async def test_what_an_endpoint_answered_is_on_record(raw: RawServer, clients: Clients) -> None:
    raw.begin(
        responding(
            "Bär".encode() + b"\xff" + b"a" * 9000,
            status="500 No",
            headers=("X-Trace: abc", "Set-Cookie: session=secret", "X-Long: " + "b" * 999),
        )
    )
    _, attempt, _ = await attempted(f"{raw.url}/hook", clients)
    assert attempt.response_body.startswith("Bär\ufffdaaa")
    assert len(attempt.response_body.encode()) < 4100
    assert attempt.response_headers == {
        "content-length": "9005",
        "x-trace": "abc",
        "set-cookie": "(left out)",
        "x-long": "b" * 256,
    }


async def test_https_alone_is_checked_at_every_attempt(raw: RawServer, clients: Clients) -> None:
    raw.begin(responding())
    strict = replace(
        clients,
        sender=type(clients.sender)(
            allowed=replace(clients.settings.allowed, https_only=True),
            attempt_timeout=MINUTES,
            connect_timeout=MINUTES,
        ),
    )
    _, attempt, _ = await attempted(raw.url, strict)
    assert "https" in str(attempt.error)
    assert (attempt.dials, raw.connections) == (0, 0)
