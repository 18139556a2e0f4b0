"""What the RunComfy client makes of a server that misbehaves (design, decision 6)."""

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio

from generations.errors import (
    DarkroomError,
    RunComfyRejected,
    RunComfyUnavailable,
    SubmissionUncertain,
)
from generations.lifecycle import Status
from tests.builders import SEEDANCE
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
from worker.runcomfy.client import LONGEST_ANSWER, RunComfyClient
from worker.runcomfy.protocol import NotThere, Observation

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "rc-token-1"
INPUT = {"prompt": "ein Bär 🐻", "duration": 5}
CHUNKED = JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = b"%x\r\n" % 2**20 + b" " * 2**20 + b"\r\n"

#: The table of decision 6: every way of losing the answer to a request that was read.
LOST: dict[str, Behaviour] = {
    "closes": close,
    "resets": reset,
    "hangs": hang,
    "cuts the body short": answering(JSON_HEAD + b'Content-Length: 99\r\n\r\n{"request_id": '),
    "cuts a chunk short": answering(CHUNKED + b'99\r\n{"request_id": "rc-1"'),
    "cuts the head short": answering(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "answers garbage": answering(b"\x15\x03\x01\x00\x02\x02\x50 what?\r\n\r\n"),
    "answers with a broken length": answering(JSON_HEAD + b"Content-Length: many\r\n\r\n{}"),
    "answers with broken gzip": answering(
        JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    ),
    "answers a huge head": answering(JSON_HEAD + b"X: " + b"a" * 2**20 + b"\r\n\r\n"),
    "drips": dripping(JSON_HEAD + b"Content-Length: 100000\r\n\r\n", every=0.05),
    "never ends": flooding(CHUNKED, part=MIB),
}

#: What only a time limit ends.
ENDLESS = {"hangs", "drips"}

Call = Callable[[RunComfyClient], Awaitable[object]]
ACCEPTED = responding(b'{"request_id": "rc-1", "outcome": "cancelled"}')
POLLS: dict[str, Call] = {
    "look": lambda client: client.look("rc-1"),
    "cancel": lambda client: client.cancel("rc-1"),
}


async def submit(client: RunComfyClient) -> str:
    return await client.submit(SEEDANCE, INPUT)


def client_of(base: str, *, seconds: float) -> RunComfyClient:
    return RunComfyClient(
        base=f"{base}/v1",
        token=TOKEN,
        submit_timeout=timedelta(seconds=seconds),
        poll_timeout=timedelta(seconds=seconds),
        connect_timeout=timedelta(seconds=0.5),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw() -> AsyncIterator[RawServer]:
    async with serving(close) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(raw: RawServer) -> AsyncIterator[RunComfyClient]:
    made = client_of(raw.url, seconds=10)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty(raw: RawServer) -> AsyncIterator[RunComfyClient]:
    made = client_of(raw.url, seconds=0.3)
    yield made
    await made.close()


@pytest.mark.parametrize("how", LOST)
async def test_a_lost_answer_to_a_submission_is_uncertain(
    how: str, raw: RawServer, client: RunComfyClient, hasty: RunComfyClient
) -> None:
    raw.begin(LOST[how])
    with pytest.raises(SubmissionUncertain, match="may or may not have accepted"):
        await (hasty if how in ENDLESS else client).submit(SEEDANCE, INPUT)
    assert len(raw.requests) == 1


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("call", POLLS)
async def test_a_lost_answer_to_a_poll_is_asked_for_again(
    how: str, call: str, raw: RawServer, client: RunComfyClient, hasty: RunComfyClient
) -> None:
    raw.begin(LOST[how])
    with pytest.raises(RunComfyUnavailable):
        await POLLS[call](hasty if how in ENDLESS else client)
    assert raw.requests


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:{unused}", "http://runcomfy.invalid", "https://127.0.0.1:{plain}"]
)
async def test_what_never_left_may_be_sent_again(base: str, raw: RawServer) -> None:
    raw.begin(close)
    client = client_of(base.format(unused=unused_port(), plain=raw.port), seconds=10)
    for call in (*POLLS.values(), submit):
        with pytest.raises(RunComfyUnavailable):
            await call(client)
    await client.close()
    assert raw.requests == []


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("200 OK", b'{"error_code": 422001}', RunComfyRejected),
        ("422 Unprocessable", b'{"detail": []}', RunComfyRejected),
        ("429 Too Many", b"", RunComfyUnavailable),
        ("401 Unauthorized", b"", RunComfyUnavailable),
        ("504 Gateway Timeout", b"<html>", SubmissionUncertain),
        ("500 Internal", b'{"error_code": 500001}', SubmissionUncertain),
        ("200 OK", b"<html>", SubmissionUncertain),
    ],
)
async def test_an_answer_to_a_submission_is_read(
    status: str, body: bytes, error: type[DarkroomError], raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(responding(body, status=status))
    with pytest.raises(error) as caught:
        await submit(client)
    assert caught.type is error


async def test_a_submission_is_the_input_alone_with_the_token(
    raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(ACCEPTED)
    assert await submit(client) == "rc-1"
    head, _, body = raw.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /v1/models/{SEEDANCE} HTTP/1.1\r\n".encode())
    assert b"authorization: bearer rc-token-1" in head.lower()
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body) == INPUT


async def test_half_of_an_emoji_does_not_break_a_submission(
    raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(ACCEPTED)
    await client.submit(SEEDANCE, {"prompt": "\ud83d"})
    assert raw.requests[0].endswith(b'{"prompt":"\\ud83d"}')


async def test_every_submission_has_a_connection_of_its_own(
    raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(ACCEPTED)
    for _ in range(3):
        await submit(client)
    assert raw.connections == 3
    raw.begin(ACCEPTED)
    for _ in range(3):
        await client.cancel("rc-1")
    assert raw.connections <= 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_and_the_token_stays(
    status: int, raw: RawServer, client: RunComfyClient
) -> None:
    async with serving(ACCEPTED) as elsewhere:
        headers = (f"Location: {elsewhere.url}/v1/models/x",)
        raw.begin(responding(b"{}", status=f"{status} Elsewhere", headers=headers))
        with pytest.raises(SubmissionUncertain):
            await submit(client)
        for call in POLLS.values():
            with pytest.raises(RunComfyUnavailable):
                await call(client)
        assert len(raw.requests) == 3
        assert elsewhere.connections == 0


async def test_cookies_are_not_kept(raw: RawServer, client: RunComfyClient) -> None:
    cookie = ("Set-Cookie: session=1; Path=/",)
    raw.begin(responding(b'{"request_id": "rc-1", "outcome": "cancelled"}', headers=cookie))
    for _ in range(2):
        await client.cancel("rc-1")
        await submit(client)
    assert not any(b"cookie:" in request.lower() for request in raw.requests)


async def test_a_look_reads_the_result_only_once_it_stopped_running(
    raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(responding(b'{"status": "in_queue", "queue_position": 2}'))
    assert await client.look("rc-1") == Observation(Status.IN_QUEUE, queue_position=2)
    assert [path_of(request) for request in raw.requests] == ["/v1/requests/rc-1/status"]


async def test_a_look_at_what_stopped_running_asks_for_result_and_cost(
    raw: RawServer, client: RunComfyClient
) -> None:
    output = {"video": "https://a/1.mp4"}
    body = json.dumps({"status": "completed", "output": output, "cost": 2.85}).encode()
    raw.begin(responding(body))
    assert await client.look("rc-1") == Observation(Status.SUCCEEDED, output=output, cost=2.85)
    assert [path_of(request) for request in raw.requests] == [
        "/v1/requests/rc-1/status",
        "/v1/requests/rc-1/result?include_cost=true",
    ]


async def test_a_request_that_is_not_known_is_not_there(
    raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(responding(b'{"error_code": 404001}', status="404 Not Found"))
    assert await client.look("rc-1") == NotThere()
    assert await client.cancel("rc-1") == "not_cancellable"


async def test_a_packed_answer_is_unpacked(raw: RawServer, client: RunComfyClient) -> None:
    packed = gzip.compress(b'{"request_id": "rc-1", "outcome": "cancelled"}')
    raw.begin(responding(packed, headers=("Content-Encoding: gzip",)))
    assert await submit(client) == "rc-1"
    assert await client.cancel("rc-1") == "cancelled"


async def test_a_large_result_is_read_and_a_huge_one_is_not(
    raw: RawServer, client: RunComfyClient
) -> None:
    raw.begin(responding(b'{"outcome": "cancelled", "input": "' + b"a" * 2**20 + b'"}'))
    assert await client.cancel("rc-1") == "cancelled"
    raw.begin(responding(b'{"outcome": "cancelled", "input": "' + b"a" * LONGEST_ANSWER + b'"}'))
    with pytest.raises(RunComfyUnavailable):
        await client.cancel("rc-1")


def path_of(request: bytes) -> str:
    return request.split(b" ")[1].decode()
