"""What clients that wait for events cost one gateway, and how soon they are told.

Raw sockets, each on the event stream of a generation, on one gateway process and one Valkey.
Once each stream stands, all generations move at once, written by this program as a worker
writes it; a client is told late by the time between that answer and its event. The last row
is one generation that all clients follow.
"""

import argparse
import asyncio
import json
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

from bench.serving import Serving, serving
from generations.connection import connect
from generations.due import Claim, DueIndex
from generations.ids import GENERATION, new_id
from generations.lifecycle import Status
from generations.model import NewGeneration
from generations.steps import Due, Lane, Step
from generations.store import GenerationStore

REPORT: Final = Path("build/waiting.json")
PATIENCE: Final = 120.0
#: Settles that are under way at once, as a busy worker's.
AT_ONCE: Final = 32
LEASE: Final = timedelta(minutes=10)
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Told:
    """How late clients were told, in milliseconds, and how long it took until all were."""

    clients: int
    generations: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    all_told_ms: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MiB: what processes share counted once, and counted for each of them."""

    mib: float
    mib_with_shared: float

    def __str__(self) -> str:
        return f"{self.mib:>8.0f} MiB{self.mib_with_shared:>8.0f} MiB"


@dataclass(frozen=True, slots=True)
class Measured:
    """One gateway's figures."""

    clients: int
    idle: Memory
    waiting: Memory
    told: list[Told]


def memory_of(gateway: Serving) -> Memory:
    """What all processes of a gateway hold now."""
    program = psutil.Process(gateway.pid)
    held = [one.memory_full_info() for one in (program, *program.children(recursive=True))]
    return Memory(sum(one.pss for one in held) / MIB, sum(one.rss for one in held) / MIB)


class Client:
    """One socket on the events of one generation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def follow(cls, gateway: Serving, generation_id: str) -> "Client":
        """Open the stream, and come back when the first event has come."""
        parts = urlsplit(gateway.url)
        client = cls(*await asyncio.open_connection(parts.hostname, parts.port))
        client._writer.write(
            f"GET /v1/generations/{generation_id}/events HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {gateway.key}\r\n\r\n".encode()
        )
        await client.told(Status.QUEUED)
        return client

    async def told(self, status: Status) -> float:
        """The instant at which an event of this status has come."""
        await self._reader.readuntil(f"event: generation.{status}\n".encode())
        return time.perf_counter()

    async def close(self) -> None:
        """Leave."""
        self._writer.close()
        await self._writer.wait_closed()


class Mover:
    """Accepts generations and moves them, as gateway and worker do."""

    def __init__(self, store: GenerationStore, due: DueIndex) -> None:
        self._store = store
        self._due = due
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def accept(self, count: int) -> list[str]:
        """So many new generations."""
        return list(await asyncio.gather(*(self._accept_one() for _ in range(count))))

    async def move_all(self, count: int) -> dict[str, float]:
        """Begin the submission of all; the instant at which each move was on record."""
        claims = await self._due.claim({Lane.SUBMISSIONS: count}, lease=LEASE)
        taken = await self._due.take_generations(claims, lease=LEASE)
        moves = await asyncio.gather(*(self._move(claim) for claim, _ in taken))
        return dict(moves)

    async def _accept_one(self) -> str:
        asked = NewGeneration(new_id(GENERATION), "bench", "bench/model", {"prompt": "x" * 200})
        async with self._gate:
            return (await self._store.accept(asked)).id

    async def _move(self, claim: Claim) -> tuple[str, float]:
        step = Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS, LEASE))
        async with self._gate:
            await self._due.settle(claim, step)
            return claim.id, time.perf_counter()


async def measure(clients: int) -> Measured:
    """Memory with and without the clients, and how late they are told."""
    async with serving() as gateway, moving(gateway.redis_url) as mover:
        await one_round(gateway, mover, clients=10, generations=10)
        idle = memory_of(gateway)
        many, waiting = await one_round(gateway, mover, clients=clients, generations=clients)
        one, _ = await one_round(gateway, mover, clients=clients, generations=1)
    return Measured(clients, idle, waiting, [many, one])


async def one_round(
    gateway: Serving, mover: Mover, *, clients: int, generations: int
) -> tuple[Told, Memory]:
    """Connect, move, listen; how late the clients were told, and the memory while they waited."""
    ids = await mover.accept(generations)
    followed = [ids[number % generations] for number in range(clients)]
    opened = [await Client.follow(gateway, generation_id) for generation_id in followed]
    waiting = memory_of(gateway)
    listening = [asyncio.create_task(client.told(Status.SUBMITTING)) for client in opened]
    begun = time.perf_counter()
    moved = await mover.move_all(generations)
    heard = await asyncio.wait_for(asyncio.gather(*listening), PATIENCE)
    await asyncio.gather(*(client.close() for client in opened))
    late = [at - moved[id_] for id_, at in zip(followed, heard, strict=True)]
    return summary(late, generations, max(heard) - begun), waiting


def summary(late: Sequence[float], generations: int, all_told: float) -> Told:
    """The figures of one round. An event may come before the mover has its own answer."""
    ms = sorted(max(0.0, wait * 1000) for wait in late)
    return Told(
        clients=len(ms),
        generations=generations,
        p50_ms=statistics.median(ms),
        p99_ms=ms[int(len(ms) * 0.99)],
        worst_ms=ms[-1],
        all_told_ms=all_told * 1000,
    )


@asynccontextmanager
async def moving(redis_url: str) -> AsyncIterator[Mover]:
    """A mover on connections of its own."""
    redis, keep = connect(redis_url), timedelta(days=7)
    store = GenerationStore(redis, deadline=timedelta(hours=24), keep=keep)
    try:
        yield Mover(store, DueIndex(redis, keep=keep))
    finally:
        await redis.aclose()


def main() -> None:
    """Measure, print the table and write the report."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--clients", type=int, default=2000)
    sys.stderr.write("About half a minute.\n")
    found = asyncio.run(measure(arguments.parse_args().clients))
    print(f"Python {platform.python_version()}, {platform.machine()}, {psutil.cpu_count()} cores\n")
    print(f"{'memory of the gateway':<34}{'PSS':>12}{'RSS':>12}")
    print(f"{'idle':<34}{found.idle}")
    print(f"{f'with {found.clients:,} waiting clients':<34}{found.waiting}\n")
    print(
        f"{'ms from the move to its event':<34}{'median':>8}{'p99':>8}{'worst':>8}{'all told':>10}"
    )
    for told in found.told:
        name = f"{told.clients:,} clients, {told.generations:,} generations"
        figures = f"{told.p50_ms:>8.0f}{told.p99_ms:>8.0f}{told.worst_ms:>8.0f}"
        print(f"{name:<34}{figures}{told.all_told_ms:>10.0f}")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(asdict(found), indent=2))


if __name__ == "__main__":
    main()
