"""Work that nobody waits for any more, and that is finished all the same."""

import asyncio
from datetime import timedelta

from worker.lingering import MOST, Lingering

HASTY = timedelta(milliseconds=1)


async def until(event: asyncio.Event, word: str = "done") -> str:
    await event.wait()
    return word


async def test_what_is_done_in_time_is_waited_for() -> None:
    done = asyncio.Event()
    done.set()
    work = [asyncio.create_task(until(done)) for _ in range(3)]
    assert await Lingering().wait(work, patience=timedelta(minutes=1)) == set(work)
    assert await Lingering().wait([], patience=HASTY) == set()


async def test_what_takes_longer_goes_on_by_itself_and_is_finished() -> None:
    quick, slow, lingering = asyncio.Event(), asyncio.Event(), Lingering()
    quick.set()
    work = [asyncio.create_task(until(event)) for event in (quick, slow)]
    assert await lingering.wait(work, patience=HASTY) == {work[0]}
    finishing = asyncio.create_task(lingering.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    slow.set()
    await finishing
    assert work[1].result() == "done"
    await lingering.finish()


async def test_without_a_limit_to_patience_all_is_waited_for() -> None:
    slow = asyncio.Event()
    work = [asyncio.create_task(until(slow))]
    waiting = asyncio.create_task(Lingering().wait(work, patience=None))
    await asyncio.sleep(0)
    assert not waiting.done()
    slow.set()
    assert await waiting == set(work)


async def test_only_so_much_is_let_go() -> None:
    slow, lingering = asyncio.Event(), Lingering()
    most = [asyncio.create_task(until(slow)) for _ in range(MOST)]
    assert await lingering.wait(most, patience=HASTY) == set()
    one_more = asyncio.create_task(until(slow))
    waiting = asyncio.create_task(lingering.wait([one_more], patience=timedelta()))
    # Its patience is over at once, and it is waited for all the same.
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    slow.set()
    assert await waiting == {one_more}
