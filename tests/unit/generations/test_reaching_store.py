"""Whatever a server that goes away makes of a call, it is one error; a bug stays what it is."""

import asyncio
import socket

import pytest
import redis.exceptions
import uvloop

from generations.connection import hurrying, reaching_store
from generations.errors import StoreUnavailable

AWAY = [
    redis.exceptions.ConnectionError("refused"),
    redis.exceptions.TimeoutError("silent"),
    redis.exceptions.BusyLoadingError("it reads its data"),
    ConnectionResetError("reset"),
]


async def outcome_of(error: Exception) -> None:
    @reaching_store
    async def call() -> None:
        raise error

    await call()


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
async def test_a_server_that_is_away_is_said_to_be_away(error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as raised:
        await outcome_of(error)
    assert raised.value.__cause__ is error


def test_what_uvloop_says_of_a_connection_that_was_closed_is_no_bug() -> None:
    @reaching_store
    async def write_to_closed() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            _, writer = await asyncio.open_connection(sock=ours)
            writer.transport.abort()
            await asyncio.sleep(0)  # Aborted in the loop's next turn.
            writer.writelines([b"PING"])

    async def run() -> None:
        await write_to_closed()

    with pytest.raises(StoreUnavailable) as raised:
        uvloop.run(run())
    assert isinstance(raised.value.__cause__, RuntimeError)


async def test_any_other_runtime_error_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        await outcome_of(RuntimeError("a bug"))


async def test_a_store_that_takes_longer_than_somebody_waits_counts_as_away() -> None:
    @reaching_store
    async def freeze() -> None:
        await asyncio.Event().wait()

    with hurrying(0.01), pytest.raises(StoreUnavailable):
        await freeze()


async def test_who_waits_for_no_answer_is_as_patient_as_before() -> None:
    @reaching_store
    async def take(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "taken"

    with hurrying(0.01):
        pass
    assert await take(0.05) == "taken"
