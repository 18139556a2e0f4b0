"""What accepts, claims and lists cost the server where a million finished generations are kept.

Each is the CPU of the server's process, to the nanosecond as Linux counts it, the least of several
rounds: neither clients nor disks nor others on the machine count.
The million are copies of one that ended as any, its delivery and its places in the indexes
included, made by the server.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bench.filling import ORIGIN, Filler, asked, filling, used_memory
from bench.serving import staging
from generations.accepting import Ask
from generations.connection import key
from generations.ids import DELIVERY, GENERATION
from generations.lifecycle import DeliveryStatus, Status
from generations.listing import Listing, index_of
from generations.model import Attempt
from generations.selection import Filter
from generations.steps import Lane, Step, finish

PAGE: Final = 5000
ROUNDS: Final = 16
#: Accepts and claims in a round, and pages of a list.
ACCEPTS, PAGES = 400, 100
#: Seconds in which the server ends what growing so fast left it to do.
SETTLING: Final = 10.0
LEASE: Final = timedelta(minutes=10)
COPY: Final = """
local now = redis.call('TIME')[1] * 1000
for i = tonumber(ARGV[1]), ARGV[2] - 1 do
  local number = string.format('%026d', i)
  redis.call('COPY', KEYS[1], ARGV[3] .. number)
  redis.call('COPY', KEYS[2], ARGV[4] .. number)
  for k = 3, 4 do
    redis.call('ZADD', KEYS[k], now - ARGV[5] + i, ARGV[6] .. number)
  end
end
"""


async def measure_kept(progress: Callable[[str], None], *, kept: int) -> dict[str, float]:
    """What each costs with so many kept, of what it costs beside it with none."""
    async with (
        staging() as empty_stage,
        staging() as full_stage,
        filling(empty_stage.redis_url) as empty,
        filling(full_stage.redis_url) as full,
    ):
        size = await used_memory(full.redis)
        await keep(full, kept)
        each = (await used_memory(full.redis) - size) / kept
        await asyncio.sleep(SETTLING)
        # In turn, so that a machine that is busy for a while is so for both.
        pids = [stage.supervisor.pids["valkey"] for stage in (empty_stage, full_stage)]
        rounds = [
            [await one_round(*side) for side in zip((empty, full), pids, strict=True)]
            for _ in range(ROUNDS)
        ]
    # The first loads scripts.
    none, many = (least(costs[1:]) for costs in zip(*rounds, strict=True))
    progress(f"{kept:,} kept, {each:.0f} bytes each: {said(none)} with none, {said(many)} with all")
    ratios = {f"kept_{name}_ratio": many[name] / none[name] for name in none}
    return {"kept_generations": kept, "kept_bytes_per_generation": each, **ratios}


def said(costs: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {cost:.0f} µs" for name, cost in costs.items())


def least(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each cost the least: what is above it is others' doing."""
    return {name: min(costs[name] for costs in rounds) for name in rounds[0]}


async def one_round(filler: Filler, server: int) -> dict[str, float]:
    """Microseconds of the server for an accept, a claim, and a page of a list."""

    async def accept() -> None:
        await filler.store.accept_all([Ask(asked(None)) for _ in range(ACCEPTS)])

    async def claim() -> None:
        await filler.due.claim({Lane.SUBMISSIONS: ACCEPTS}, lease=LEASE)

    async def show() -> None:
        listing = Listing(filler.redis)
        for _ in range(PAGES):
            await listing.page(Filter(), origin=ORIGIN, limit=50)

    return {
        "accept": await spent(server, accept) / ACCEPTS,
        "claim": await spent(server, claim) / ACCEPTS,
        "list": await spent(server, show) / PAGES,
    }


async def spent(server: int, work: Callable[[], Awaitable[None]]) -> float:
    """Microseconds of CPU that the server spends on some work."""
    before = cpu_ns(server)
    await work()
    return (cpu_ns(server) - before) / 1000


def cpu_ns(pid: int) -> int:
    """What a process has used so far, all its threads together."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


async def keep(filler: Filler, kept: int) -> None:
    """So many finished generations, each as old as no other."""
    generation_id, delivery_id = await end_one(filler)
    await filler.redis.config_set("appendfsync", "no")
    await filler.redis.config_set("auto-aof-rewrite-percentage", 0)
    copy = filler.redis.register_script(COPY)
    keys = [key(generation_id), key(delivery_id), index_of(None), index_of(ORIGIN)]
    for start in range(0, kept, PAGE):
        end = min(start + PAGE, kept)
        names: list[Any] = [key(GENERATION), key(DELIVERY), kept + 1000, GENERATION]
        await copy(keys=keys, args=[start, end, *names])
    await filler.redis.config_set("appendfsync", "always")


async def end_one(filler: Filler) -> tuple[str, str]:
    """One that succeeded and was called back; its id, and its delivery's."""
    webhook = "https://origin.example/callbacks"
    (generation_id,) = await filler.begin(1, webhook)
    generation = await filler.store.find(generation_id)
    output = {"video": "https://cdn.example/outputs/2026/11/kept.mp4"}
    end = finish(generation, Status.SUCCEEDED, output=output, cost=0.1)
    await filler.due.apply(generation_id, Lane.POLLS, end, {}, origin=ORIGIN)
    (delivery_id,) = (await filler.store.find(generation_id)).delivery_ids
    attempt = Attempt(number=1, at=generation.created_at, duration_ms=40, status_code=200)
    told = Step(due=None, to=DeliveryStatus.DELIVERED, attempt=attempt)
    await filler.due.apply(delivery_id, Lane.DELIVERIES, told, {}, origin=ORIGIN)
    return generation_id, delivery_id
