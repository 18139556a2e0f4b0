"""Polls per worker CPU-second, beside one Celery message per poll and the bare HTTP client.

One run, one machine, one upstream that answers at once and is never done. Darkroom's worker has
records in progress, more of them due than it can look at; each countdown peer has messages in
the same plight. The bare client has nothing to do but ask.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx

from bench.filling import Begun, filling
from bench.serving import Stage, cpu_seconds, staging
from ops.local.parts import python_command

Progress = Callable[[str], None]

DARKROOM, BARE = "darkroom", "bare HTTP client"
#: Each pool of the peer, with the options that suit it.
POOLS: Final = {
    "prefork": ("--pool", "prefork", "--concurrency", "2"),
    "threads": ("--pool", "threads", "--concurrency", "16"),
    "gevent": ("--pool", "gevent", "--concurrency", "100"),
}
#: Generations in flight: so many that their polls are always due.
IN_FLIGHT: Final = 20_000
IN_FLIGHT_OF_PEERS: Final = 4000
WARM_UP: Final = 4.0


async def measure(
    progress: Progress, *, seconds: float = 8.0, in_flight: int = IN_FLIGHT
) -> dict[str, float]:
    """Polls per CPU-second of each, and what Darkroom's are of the others'."""
    async with staging() as stage:
        upstream = await stage.start_upstream()
        found = {BARE: await bare_client(upstream, seconds)}
        progress(f"{BARE}: {found[BARE]:.0f} polls per CPU-second")
        for pool, options in POOLS.items():
            found[pool] = await countdown_peer(stage, upstream, options, seconds)
            progress(f"countdown, {pool}: {found[pool]:.0f}")
        found[DARKROOM] = await darkroom(stage, upstream, seconds, in_flight)
        progress(f"{DARKROOM}: {found[DARKROOM]:.0f}")
    return {
        "polls_per_cpu_s": found[DARKROOM],
        "polls_ratio_countdown": found[DARKROOM] / max(found[pool] for pool in POOLS),
        "polls_ratio_bare_client": found[DARKROOM] / found[BARE],
        "polls_bare_client_per_cpu_s": found[BARE],
        **{f"polls_countdown_{pool}_per_cpu_s": found[pool] for pool in POOLS},
    }


async def bare_client(upstream: str, seconds: float) -> float:
    """The client alone, in a process of its own."""
    command = python_command(
        *("bench.peers.bare_client", "--url", upstream, "--seconds", str(seconds))
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    asked = json.loads(said)
    return float(asked["polls"] / asked["cpu_seconds"])


async def countdown_peer(
    stage: Stage, upstream: str, options: tuple[str, ...], seconds: float
) -> float:
    """The peer in one pool, with more polls due than it can make."""
    pid = await stage.start_peer("countdown", upstream, options)
    await asyncio.to_thread(send_polls, stage.database(3), IN_FLIGHT_OF_PEERS)
    try:
        return await polls_per_cpu_second(pid, upstream, seconds)
    finally:
        await stage.end(f"countdown-{options[1]}")


def send_polls(broker: str, count: int) -> None:
    """So many generations' first polls, due now."""
    from celery import Celery

    peer = Celery(broker=broker)
    with peer.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.queue_purge("celery")
        # Sending is not what is measured: thousands of disk writes one after the other.
        channel.client.config_set("appendfsync", "no")
        for number in range(count):
            peer.send_task("peer.poll", args=[f"peer-{number}", 1], connection=connection)
        channel.client.config_set("appendfsync", "always")


async def darkroom(stage: Stage, upstream: str, seconds: float, in_flight: int) -> float:
    """Darkroom's worker, with more polls due than it can make."""
    async with filling(stage.redis_url) as filler:
        begun = [Begun(f"bench-{number}") for number in range(in_flight)]
        await filler.fill(begun, at=datetime.now(UTC), within=timedelta(seconds=1))
    return await polls_per_cpu_second(await stage.start_worker(upstream), upstream, seconds)


async def polls_per_cpu_second(pid: int, upstream: str, seconds: float) -> float:
    """Of a worker that is busy."""
    async with httpx.AsyncClient(base_url=upstream, trust_env=False) as client:

        async def polls() -> int:
            return int((await client.get("/_bench/counts")).json().get("polls", 0))

        await asyncio.sleep(WARM_UP)
        before, spent = await polls(), cpu_seconds(pid)
        await asyncio.sleep(seconds)
        return (await polls() - before) / (cpu_seconds(pid) - spent)


def main() -> None:
    """Measure, and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seconds", type=float, default=8.0)
    seconds = arguments.parse_args().seconds
    found = asyncio.run(measure(partial(print, file=sys.stderr), seconds=seconds))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
