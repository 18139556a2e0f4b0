"""Looking up names: one whose servers do not answer takes nothing from the others."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from worker.resolver import LOOKUPS_AT_ONCE, SharedLookups

ADDRESS = "93.184.216.34"
MANY = 4 * LOOKUPS_AT_ONCE


class PlayedServers:
    """What ``getaddrinfo`` asks; for names of ``hanging.example`` nobody answers before the end."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.end = threading.Event()

    def __call__(self, host: str, *_: Any) -> list[Any]:
        self.asked[host] += 1
        if host == "hanging.example":
            self.end.wait(30)
            raise socket.gaierror("Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ADDRESS, 0))]


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[PlayedServers]:
    played = PlayedServers()
    yield played
    played.end.set()


@pytest_asyncio.fixture
async def lookups(servers: PlayedServers) -> AsyncIterator[SharedLookups]:
    made = SharedLookups(servers)
    yield made
    servers.end.set()
    await made.close()


async def test_a_name_that_hangs_holds_one_thread_and_the_others_are_answered(
    servers: PlayedServers, lookups: SharedLookups
) -> None:
    hanging = [asyncio.create_task(lookups.resolve("hanging.example", n)) for n in range(MANY)]
    async with asyncio.timeout(10):
        for port in (80, 443):
            (found,) = await lookups.resolve("studio.example", port)
            assert (found["host"], found["port"]) == (ADDRESS, port)
    assert servers.asked == {"hanging.example": 1, "studio.example": 2}
    assert not any(task.done() for task in hanging)
    servers.end.set()
    answers = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(answer, socket.gaierror) for answer in answers)


async def test_whoever_stops_waiting_takes_the_answer_from_nobody(
    servers: PlayedServers, lookups: SharedLookups
) -> None:
    first, second = (asyncio.create_task(lookups.resolve("hanging.example")) for _ in range(2))
    await lookups.resolve("studio.example")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not second.done()
    servers.end.set()
    with pytest.raises(socket.gaierror):
        await second
    assert servers.asked["hanging.example"] == 1


async def test_what_was_found_is_not_kept(servers: PlayedServers, lookups: SharedLookups) -> None:
    for _ in range(3):
        await lookups.resolve("studio.example")
    assert servers.asked["studio.example"] == 3


async def test_the_systems_resolver_is_asked_by_default() -> None:
    made = SharedLookups()
    found = await made.resolve("localhost", 80, socket.AF_INET)
    assert ("127.0.0.1", 80) in [(one["host"], one["port"]) for one in found]
    with pytest.raises(OSError, match=r"\w"):
        await made.resolve("no.invalid", 80)
    await made.close()
