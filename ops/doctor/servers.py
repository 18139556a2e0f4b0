"""The server of the records, and the broker where it is another one."""

import statistics
import time
from typing import Final

from redis.asyncio import Redis

from generations.connection import connect, fsync_of, reaching_store
from generations.durability import Finding, Level, judge_server
from generations.errors import StoreUnavailable
from ops.local.folder import Folder, store_settings

PINGS: Final = 20
#: Milliseconds. An accept is one round trip, a whole generation some ten to twenty.
SLOW_PING: Final = 5.0
#: Seconds that Redis's clock may differ from this machine's.
SLIGHT_SKEW: Final = 2.0
#: Receivers refuse signatures whose timestamp is five minutes off (Standard Webhooks).
LARGEST_SKEW: Final = 60.0


async def examine_redis(folder: Folder) -> list[Finding]:
    """What the servers say of themselves, how far they are, and what time it is there."""
    settings = store_settings(folder)
    redis = connect(settings.redis_url.get_secret_value(), max_connections=2)
    broker = connect(settings.broker, max_connections=2)
    try:
        return [*await _examine_store(redis), await _examine_broker(broker)]
    finally:
        await redis.aclose()
        await broker.aclose()


async def _examine_store(redis: Redis) -> list[Finding]:
    try:
        facts = await reaching_store(redis.info)()
        latency = await _median_ping(redis)
        skew = await _skew_of(redis)
    except StoreUnavailable as error:
        reason = type(error.__cause__).__name__
        advice = "Start it, or set DARKROOM_REDIS_URL; 'darkroom up' brings one of its own."
        return [Finding("redis", Level.PROBLEM, f"cannot be reached ({reason})", advice)]
    judged = judge_server(facts, await fsync_of(redis))
    return [
        Finding("redis", Level.OK, "answers"),
        *judged,
        judge_latency(latency),
        judge_clock(skew),
    ]


async def _median_ping(redis: Redis) -> float:
    """Milliseconds of one round trip."""
    ping = reaching_store(redis.ping)
    took = []
    for _ in range(PINGS):
        began = time.perf_counter()
        await ping()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def _skew_of(redis: Redis) -> float:
    """Seconds by which Redis's clock is ahead of this machine's."""
    began = time.time()
    seconds, micros = await reaching_store(redis.time)()
    # It was read somewhere on the way.
    return int(seconds) + int(micros) / 1e6 - (began + time.time()) / 2


def judge_latency(latency: float) -> Finding:
    """What the milliseconds of a PING say about where a server is."""
    said = f"{latency:.1f} ms a round trip"
    if latency <= SLOW_PING:
        return Finding("latency", Level.OK, said)
    return Finding("latency", Level.WARNING, said, "Move Redis nearer to gateway and workers.")


def judge_clock(skew: float) -> Finding:
    """What the seconds between Redis's clock and this machine's mean.

    Deadlines and due times go by Redis's, the timestamps of signatures by the worker's.
    """
    said = f"Redis's is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) <= SLIGHT_SKEW:
        return Finding("clock", Level.OK, said)
    level = Level.WARNING if abs(skew) <= LARGEST_SKEW else Level.PROBLEM
    advice = "Set both by NTP: receivers refuse callbacks whose timestamp is minutes off."
    return Finding("clock", level, said, advice)


async def _examine_broker(broker: Redis) -> Finding:
    try:
        await reaching_store(broker.ping)()
    except StoreUnavailable as error:
        reason = type(error.__cause__).__name__
        advice = "Set DARKROOM_BROKER_URL to a server that answers, or leave it away."
        return Finding("broker", Level.PROBLEM, f"cannot be reached ({reason})", advice)
    return Finding("broker", Level.OK, "answers")
