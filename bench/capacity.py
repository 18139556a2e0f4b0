"""A hundred thousand generations in flight on one machine, held for two minutes.

One gateway, one worker process, one Valkey, and the upstream. The generations take 10 to 30
minutes, as the model is known to, and are of every age, so that as many end as begin: those that
end are called back, and as many new ones are posted to the gateway. At the start they are put on
record by the store's own accept and settle (``filling.py``). How late polls are is the time from
the instant at which each of a thousand of them was due to the one at which a worker took it.
"""

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import httpx
import psutil

from api_gateway.schemas import MODEL_ID
from bench.filling import GIVEN, Begun, Filler, filling, teach, used_memory
from bench.kept import measure_kept
from bench.load import at_a_rate, connections
from bench.serving import Serving, cpu_seconds, serving
from generations.connection import Redis, key
from generations.due import due_key
from generations.steps import Lane

Progress = Callable[[str], None]

IN_FLIGHT: Final = 100_000
HELD: Final = 120.0
#: Seconds in which the worker starts, and what came due meanwhile is looked at.
WARM_UP: Final = 20.0
SHORTEST, LONGEST = 600.0, 1800.0
#: Polls whose lateness is measured, and seconds between two looks at them.
TRACERS: Final = 1000
LOOK_EVERY: Final = 0.5
CONNECTIONS: Final = 8
#: What filling does on a slow machine, and seconds that a worker takes to start.
FILLED_PER_SECOND: Final = 2500
STARTING: Final = 3.0
MIB: Final = 2**20


@dataclass(slots=True)
class Tracers:
    """Some generations, watched for how late each of their polls is. In milliseconds."""

    redis: Redis
    ids: Sequence[str]
    late: list[float] = field(default_factory=list)
    _due: dict[str, float] = field(default_factory=dict)
    _looked_at: dict[str, str] = field(default_factory=dict)

    async def look(self) -> None:
        """Note what was looked at since the last look, and when each is due next."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for one in self.ids:
                pipe.zscore(due_key(Lane.POLLS), one)
                pipe.hget(key(one), "looked_at")
            found = await pipe.execute()
        for one, due, looked_at in zip(self.ids, found[::2], found[1::2], strict=True):
            if looked_at is None or due is None:
                continue
            if self._looked_at.get(one, looked_at) != looked_at and one in self._due:
                self.late.append(float(looked_at) - self._due.pop(one))
            self._looked_at[one] = looked_at
            # While it is taken, its entry is the lease's end, further ahead than it was due.
            self._due[one] = min(due, self._due.get(one, due))


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the machine shows."""

    redis_bytes: int
    worker_rss: int
    worker_cpu: float
    polls: int
    in_flight: int


@dataclass(slots=True)
class Held:
    """The parts, and how to look at them."""

    gateway: Serving
    filler: Filler
    upstream: str
    worker: int

    async def look(self) -> Seen:
        async with httpx.AsyncClient(trust_env=False) as client:
            counts = (await client.get(f"{self.upstream}/_bench/counts")).json()
        return Seen(
            redis_bytes=await used_memory(self.filler.redis),
            worker_rss=psutil.Process(self.worker).memory_info().rss,
            worker_cpu=cpu_seconds(self.worker),
            polls=counts.get("polls", 0),
            in_flight=await self.filler.redis.scard(key("unfinished:bench")),
        )


async def measure(
    progress: Progress, *, in_flight: int = IN_FLIGHT, held: float = HELD, kept: int = 1_000_000
) -> dict[str, float]:
    """Both runs: what is in flight, and what is kept."""
    figures = await measure_in_flight(progress, in_flight=in_flight, held=held)
    return figures | await measure_kept(progress, kept=kept)


async def measure_in_flight(progress: Progress, *, in_flight: int, held: float) -> dict[str, float]:
    """So many in flight, held for so many seconds."""
    async with serving() as gateway, filling(gateway.redis_url) as filler:
        upstream = await gateway.stage.start_upstream()
        plan = {"shortest": SHORTEST, "longest": LONGEST}
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{upstream}/_bench/plan", json=plan)
        await teach(filler.redis, SHORTEST, LONGEST)
        empty = await used_memory(filler.redis)
        # The worker begins when they are all there: nothing is late before it can be on time.
        at = datetime.now(UTC) + timedelta(seconds=STARTING + in_flight / FILLED_PER_SECOND)
        begun = [at_any_age(number, at) for number in range(in_flight)]
        mean = timedelta(seconds=(SHORTEST + LONGEST) / 16)
        ids = await filler.fill(begun, at=at, within=mean, webhook=f"{upstream}/callbacks")
        each = (await used_memory(filler.redis) - empty) / in_flight
        progress(f"{in_flight:,} in flight, {each:.0f} bytes of Redis each")
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds() - STARTING)
        worker = await gateway.stage.start_worker(upstream)
        await asyncio.sleep(WARM_UP if held > WARM_UP else 1.0)
        machine = Held(gateway, filler, upstream, worker)
        tracers = Tracers(filler.redis, random.sample(ids, min(TRACERS, in_flight)))
        return await hold(machine, tracers, held, each, progress)


async def hold(
    machine: Held, tracers: Tracers, held: float, each: float, progress: Progress
) -> dict[str, float]:
    """Hold what is in flight, and watch."""
    rate = await machine.filler.redis.scard(key("unfinished:bench")) / ((SHORTEST + LONGEST) / 2)
    looks, begun = [await machine.look()], time.monotonic()
    posting = asyncio.create_task(post(machine, rate, held))
    while time.monotonic() - begun < held:
        await asyncio.sleep(LOOK_EVERY)
        await tracers.look()
        if time.monotonic() - begun > held / 6 * len(looks):
            looks.append(await machine.look())
    await posting
    looks.append(await machine.look())
    late = sorted(tracers.late) or [0.0]
    first, last = looks[0], looks[-1]
    figures = {
        "capacity_in_flight": min(look.in_flight for look in looks),
        "capacity_due_lag_p99_s": late[int(len(late) * 0.99)] / 1000,
        "capacity_due_lag_p50_s": late[len(late) // 2] / 1000,
        "capacity_worker_rss_mb": max(look.worker_rss for look in looks) / MIB,
        "capacity_worker_rss_growth_mb": (last.worker_rss - looks[1].worker_rss) / MIB,
        "capacity_bytes_per_generation": each,
        "capacity_redis_growth": last.redis_bytes / first.redis_bytes - 1,
        "capacity_polls_per_s": (last.polls - first.polls) / held,
        "capacity_worker_cores": (last.worker_cpu - first.worker_cpu) / held,
    }
    progress(
        f"p99 of {len(late)} polls {1000 * figures['capacity_due_lag_p99_s']:.0f} ms late, "
        f"worker {figures['capacity_worker_rss_mb']:.0f} MiB"
    )
    return figures


async def post(machine: Held, rate: float, seconds: float) -> None:
    """New generations, as fast as others end."""
    gateway, numbers = machine.gateway, itertools.count()
    body = json.dumps(GIVEN).encode()
    host, webhook = gateway.url.removeprefix("http://"), f"{machine.upstream}/callbacks"
    head = (
        f"POST /v1/models/{MODEL_ID}?webhook={webhook} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {gateway.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: capacity-"
    ).encode()
    async with connections(gateway.url, CONNECTIONS) as pool:
        answers = await at_a_rate(
            pool,
            lambda: b"%b%d\r\n\r\n%b" % (head, next(numbers), body),
            rate=rate,
            seconds=seconds,
        )
    assert not answers.refused, f"{answers.refused} refused"


def at_any_age(number: int, at: datetime) -> Begun:
    """One of those that a look at any instant finds in flight."""
    # The longer one takes, the likelier it is found.
    takes = max(random.uniform(SHORTEST, LONGEST), random.uniform(0, LONGEST))
    age = random.uniform(0, takes)
    return Begun(f"until-{at.timestamp() + takes - age:.1f}-{number}", timedelta(seconds=age))


def main() -> None:
    """Measure, and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--in-flight", type=int, default=IN_FLIGHT)
    arguments.add_argument("--seconds", type=float, default=HELD)
    arguments.add_argument("--kept", type=int, default=1_000_000)
    asked = arguments.parse_args()
    run = measure(
        partial(print, file=sys.stderr),
        in_flight=asked.in_flight,
        held=asked.seconds,
        kept=asked.kept,
    )
    print(json.dumps(asyncio.run(run), indent=2))


if __name__ == "__main__":
    main()
