"""Calls that a worker ends when it has to end itself."""

import asyncio

import pytest

from worker.calls import Calls, Stopping


async def answer(text: str) -> str:
    return text


async def fail() -> str:
    raise ConnectionError


async def hang() -> str:
    await asyncio.Event().wait()
    return "never"


async def begun(calls: Calls) -> asyncio.Task[str]:
    """A call that hangs, under way."""
    task = asyncio.create_task(calls.make(hang()))
    await asyncio.sleep(0)
    assert calls.under_way == 1
    return task


async def test_a_call_returns_what_it_returns_and_raises_what_it_raises() -> None:
    calls = Calls()

    assert await calls.make(answer("yes")) == "yes"
    with pytest.raises(ConnectionError):
        await calls.make(fail())
    assert calls.under_way == 0


async def test_a_call_under_way_is_ended_and_may_have_left() -> None:
    calls = Calls()
    task = await begun(calls)

    calls.end()

    with pytest.raises(Stopping) as caught:
        await task
    assert caught.value.has_begun


async def test_no_call_begins_after_the_end() -> None:
    calls = Calls()
    calls.end()

    with pytest.raises(Stopping) as caught:
        await calls.make(answer("too late"))
    assert not caught.value.has_begun
    with pytest.raises(Stopping):
        calls.check()


async def test_what_is_cancelled_from_around_is_cancelled_and_not_stopped() -> None:
    calls = Calls()
    task = await begun(calls)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.under_way == 0


async def test_a_time_limit_around_a_call_is_its_own() -> None:
    calls = Calls()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await calls.make(hang())


async def test_a_call_that_ended_in_the_same_turn_keeps_its_answer() -> None:
    calls, may_answer = Calls(), asyncio.Event()

    async def answer_when_told() -> str:
        await may_answer.wait()
        return "just in time"

    task = asyncio.create_task(calls.make(answer_when_told()))
    await asyncio.sleep(0)
    assert calls.under_way == 1
    may_answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls.end()

    assert await task == "just in time"
