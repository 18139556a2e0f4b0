"""The transport of submissions says the truth about what was sent (design, decision 6).

The table, row by row, over real sockets: another library, or another version of this one,
must not turn "perhaps sent" into "never sent".
"""

from datetime import timedelta

import httpx
import pytest

from generations.errors import DarkroomError, RunComfyUnavailable, SubmissionUncertain
from tests.builders import SEEDANCE
from tests.integration.raw_server import (
    JSON_HEAD,
    Behaviour,
    answering,
    close,
    hang,
    reset,
    serving,
    unused_port,
)
from worker.runcomfy.client import RunComfyClient

CUT = answering(JSON_HEAD + b'Content-Length: 99\r\n\r\n{"request_id": ')
GARBAGE = answering(b"\x15\x03\x01\x00\x02\x02\x50 what?\r\n\r\n")


async def submit(base: str) -> tuple[type[DarkroomError], BaseException | None]:
    """What a submission ends with, and what the transport said."""
    client = RunComfyClient(
        base=f"{base}/v1",
        token="rc-token",
        submit_timeout=timedelta(seconds=1),
        poll_timeout=timedelta(seconds=1),
        connect_timeout=timedelta(seconds=1),
    )
    try:
        with pytest.raises(DarkroomError) as caught:
            await client.submit(SEEDANCE, {"prompt": "a lighthouse"})
    finally:
        await client.close()
    return caught.type, caught.value.__cause__


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        pytest.param(close, httpx.RemoteProtocolError, id="closes"),
        pytest.param(reset, httpx.ReadError, id="resets"),
        pytest.param(hang, (httpx.ReadTimeout, TimeoutError), id="hangs"),
        pytest.param(CUT, httpx.RemoteProtocolError, id="cuts the body short"),
        pytest.param(GARBAGE, httpx.RemoteProtocolError, id="answers garbage"),
    ],
)
async def test_a_request_that_arrived_is_never_called_unsent(
    behaviour: Behaviour, said: type[Exception] | tuple[type[Exception], ...]
) -> None:
    async with serving(behaviour) as raw:
        error, cause = await submit(raw.url)

        assert len(raw.requests) == 1
    assert error is SubmissionUncertain
    assert isinstance(cause, said)


@pytest.mark.parametrize("base", ["http://127.0.0.1:{unused}", "http://runcomfy.invalid"])
async def test_a_server_that_was_never_there_got_nothing(base: str) -> None:
    error, cause = await submit(base.format(unused=unused_port()))

    assert error is RunComfyUnavailable
    assert isinstance(cause, httpx.ConnectError)
