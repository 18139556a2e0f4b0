"""Whole generations: from the accept to a callback whose signature is right.

First how many each does per CPU-second of gateway and workers together, where every generation
ends at its eighth poll. Then, with generations of 8 to 14 seconds posted at 10, 50 and 90 % of
what one core does, how long a callback comes after RunComfy's end. The blocking peer has one
process for each that is in flight, so its load is the share of its processes.
"""

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import httpx
from standardwebhooks.webhooks import Webhook

from api_gateway.schemas import INPUT, MODEL_ID
from bench.accept import PLAIN, start_plain
from bench.filling import filling, teach
from bench.load import at_a_rate, connections
from bench.peers import PEER_SECRET
from bench.polls import POOLS
from bench.serving import Serving, cpu_seconds, serving_on, staging
from generations.connection import connect
from generations.origins import OriginStore

Progress = Callable[[str], None]

POLLS: Final = 8
LOADS: Final = (0.1, 0.5, 0.9)
SHORTEST, LONGEST = 8.0, 14.0
#: Seconds of posting at each load.
POSTING: Final = 10.0
#: Seconds that the last callbacks may take.
PATIENCE: Final = 60.0
CONNECTIONS: Final = 16
#: Processes of the blocking peer.
SLOTS: Final = 32


@dataclass(frozen=True, slots=True)
class Contender:
    """A gateway and its workers."""

    name: str
    #: Where generations are posted to, and with what in the head.
    url: str
    head: str
    upstream: str
    pids: tuple[int, ...]
    secrets: tuple[str, ...]

    def cpu(self) -> float:
        return sum(cpu_seconds(pid) for pid in self.pids)

    async def run(self, plan: dict[str, float], *, rate: float, count: int) -> dict[str, Any]:
        """Post so many, and wait for as many callbacks; what the upstream saw."""
        async with httpx.AsyncClient(base_url=self.upstream, trust_env=False) as client:
            await client.post("/_bench/plan", json=plan)
            await self._post(rate, count)
            told = await told_of(client, count)
            callbacks = (await client.get("/_bench/callbacks")).json()
        for head, body in callbacks:
            self._verify(head, body)
        return {"late": sorted(late for late, _ in told), "polls": [polls for _, polls in told]}

    async def _post(self, rate: float, count: int) -> None:
        body, numbers = json.dumps(INPUT).encode(), itertools.count()
        parts = httpx.URL(self.url)
        head = (
            f"POST {parts.raw_path.decode()} HTTP/1.1\r\nHost: {parts.netloc.decode()}\r\n"
            f"{self.head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        async with connections(self.url, CONNECTIONS) as pool:
            send = partial(next, (head + body for _ in numbers))
            answers = await at_a_rate(pool, send, rate=rate, seconds=count / rate)
        assert not answers.refused, f"{self.name} refused {answers.refused}"

    def _verify(self, head: str, body: str) -> None:
        lines = (line.partition(": ") for line in head.split("\r\n")[1:])
        headers = {name.lower(): value for name, _, value in lines}
        Webhook(self.secrets[0]).verify(body, headers)


async def told_of(client: httpx.AsyncClient, count: int) -> list[tuple[float, int]]:
    """What the upstream was told of as many ends, once it was."""
    async with asyncio.timeout(PATIENCE):
        while True:
            told: list[tuple[float, int]] = (await client.get("/_bench/told")).json()
            if len(told) >= count:
                return told
            await asyncio.sleep(0.2)


async def measure(
    progress: Progress, *, posting: float = POSTING, count: int = 1500
) -> dict[str, float]:
    """Darkroom, then the peers, each on a stage of its own."""
    figures: dict[str, float] = {}
    async with darkroom(knows=False) as contender:
        per_cpu = await generations_per_cpu_second(contender, progress, rate=100, count=count)
    # On another stage: what is known of the model is that of the loads, as it is after a while.
    async with darkroom(knows=True) as contender:
        figures |= await at_each_load(contender, progress, per_cpu, posting)
    async with peer("countdown", "peer.generate", POOLS["threads"]) as contender:
        per_cpu = await generations_per_cpu_second(contender, progress, rate=25, count=count // 8)
        figures |= await at_each_load(contender, progress, per_cpu, posting)
    options = ("--pool", "prefork", "--concurrency", str(SLOTS))
    async with peer("blocking", "peer.run", options) as contender:
        per_cpu = await generations_per_cpu_second(contender, progress, rate=SLOTS, count=SLOTS)
        rate = SLOTS / (SHORTEST + LONGEST)
        late = await lateness(contender, rate, posting)
        figures |= {
            "blocking_per_cpu_s": per_cpu,
            **{f"blocking_50_{k}": v for k, v in late.items()},
        }
    return {
        "generations_per_cpu_s": figures["darkroom_per_cpu_s"],
        "generations_ratio_countdown": figures["darkroom_per_cpu_s"]
        / figures["countdown_per_cpu_s"],
        "end_to_callback_p50_s": figures["darkroom_50_p50_s"],
        "end_to_callback_p99_s": figures["darkroom_50_p99_s"],
        **{f"end_to_end_{name}": figure for name, figure in figures.items()},
    }


async def at_each_load(
    contender: Contender, progress: Progress, per_cpu: float, posting: float
) -> dict[str, float]:
    """One contender's lateness at each share of what one core does."""
    figures = {f"{contender.name}_per_cpu_s": per_cpu}
    for load in LOADS:
        late = await lateness(contender, per_cpu * load, posting)
        named = f"{contender.name}_{round(load * 100)}"
        figures |= {f"{named}_{name}": figure for name, figure in late.items()}
        progress(
            f"{contender.name} at {load:.0%}: p50 {late['p50_s']:.2f} s, p99 {late['p99_s']:.2f} s"
            f" after {late['polls']:.1f} polls"
        )
    return figures


async def generations_per_cpu_second(
    contender: Contender, progress: Progress, *, rate: float, count: int
) -> float:
    """Of generations that end at their eighth poll."""
    before = contender.cpu()
    await contender.run({"polls": POLLS}, rate=rate, count=count)
    per_cpu = count / (contender.cpu() - before)
    progress(f"{contender.name}: {per_cpu:.0f} generations per CPU-second")
    return per_cpu


async def lateness(contender: Contender, rate: float, posting: float) -> dict[str, float]:
    """How long callbacks came after the ends, at so many generations a second."""
    plan = {"shortest": SHORTEST, "longest": LONGEST}
    count = max(round(rate * posting), 2)
    seen = await contender.run(plan, rate=rate, count=count)
    late, polls = seen["late"], seen["polls"]
    return {
        "p50_s": late[len(late) // 2],
        "p99_s": late[int(len(late) * 0.99)],
        "polls": sum(polls) / len(polls),
    }


@asynccontextmanager
async def darkroom(*, knows: bool) -> AsyncIterator[Contender]:
    """Gateway and worker as they are; the worker may know how long the model takes."""
    async with staging() as stage:
        gateway = await serving_on(stage)
        upstream = await stage.start_upstream()
        if knows:
            async with filling(stage.redis_url) as filler:
                await teach(filler.redis, SHORTEST, LONGEST)
        worker = await stage.start_worker(upstream)
        yield Contender(
            "darkroom",
            f"{gateway.url}/v1/models/{MODEL_ID}?webhook={upstream}/callbacks",
            f"Authorization: Bearer {gateway.key}\r\n",
            upstream,
            (gateway.pid, worker),
            await secrets_of(gateway),
        )


async def secrets_of(gateway: Serving) -> tuple[str, ...]:
    """What callbacks are signed with."""
    redis = connect(gateway.redis_url, max_connections=1)
    try:
        origin = await OriginStore(redis).find("bench")
    finally:
        await redis.aclose()
    assert origin is not None
    return tuple(held.secret for held in origin.webhook_secrets)


@asynccontextmanager
async def peer(name: str, task: str, options: tuple[str, ...]) -> AsyncIterator[Contender]:
    """The plain gateway before a peer's workers."""
    async with staging() as stage:
        upstream = await stage.start_upstream()
        broker = stage.database(3)
        worker = await stage.start_peer(name, upstream, options)
        url = await start_plain(stage, {"PLAIN_BROKER_URL": broker, "PLAIN_TASK": task})
        yield Contender(
            name,
            f"{url}/on-the-loop/v1/models/{MODEL_ID}",
            "",
            upstream,
            (stage.supervisor.pids[PLAIN], worker),
            (PEER_SECRET,),
        )


def main() -> None:
    """Measure, and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--posting", type=float, default=POSTING)
    arguments.add_argument("--count", type=int, default=1500)
    asked = arguments.parse_args()
    say = partial(print, file=sys.stderr)
    found = asyncio.run(measure(say, posting=asked.posting, count=asked.count))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
