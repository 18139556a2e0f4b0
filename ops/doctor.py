"""``darkroom doctor``: what Darkroom depends on, looked at, judged, and what to do about it."""

import json
import statistics
import time
from dataclasses import asdict
from typing import Final

import httpx
from redis.asyncio import Redis
from rich.console import Console
from rich.text import Text

from generations.connection import connect, fsync_of, reaching_store
from generations.durability import Finding, Level, judge_server
from generations.errors import StoreUnavailable
from ops.local.folder import Folder, store_settings
from ops.local.settings import LocalSettings

PINGS: Final = 20
#: Milliseconds. An accept is one round trip, a whole generation some ten to twenty.
SLOW_PING: Final = 5.0
SECONDS_TO_ANSWER: Final = 5.0


MARKS: Final = {
    Level.OK: ("✓", "green"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
}


async def run_doctor(folder: Folder, *, as_json: bool) -> int:
    """Look at everything and print what was found; the exit code."""
    findings = [*await examine_redis(folder), *await examine_runcomfy(folder)]
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        report = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        console.print(json.dumps(report, indent=2), markup=False)
    else:
        for finding in findings:
            console.print(_line(finding))
    return 0 if is_well else 1


async def examine_redis(folder: Folder) -> list[Finding]:
    """The server of the records, and the broker where it is another one."""
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
    except StoreUnavailable as error:
        reason = type(error.__cause__).__name__
        advice = "Start it, or set DARKROOM_REDIS_URL; 'darkroom up' brings one of its own."
        return [Finding("redis", Level.PROBLEM, f"cannot be reached ({reason})", advice)]
    judged = judge_server(facts, await fsync_of(redis))
    return [Finding("redis", Level.OK, "answers"), *judged, judge_latency(latency)]


async def _median_ping(redis: Redis) -> float:
    """Milliseconds of one round trip."""
    ping = reaching_store(redis.ping)
    took = []
    for _ in range(PINGS):
        began = time.perf_counter()
        await ping()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def judge_latency(latency: float) -> Finding:
    """What the milliseconds of a PING say about where a server is."""
    said = f"{latency:.1f} ms a round trip"
    if latency <= SLOW_PING:
        return Finding("latency", Level.OK, said)
    return Finding("latency", Level.WARNING, said, "Move Redis nearer to gateway and workers.")


async def _examine_broker(broker: Redis) -> Finding:
    try:
        await reaching_store(broker.ping)()
    except StoreUnavailable as error:
        reason = type(error.__cause__).__name__
        advice = "Set DARKROOM_BROKER_URL to a server that answers, or leave it away."
        return Finding("broker", Level.PROBLEM, f"cannot be reached ({reason})", advice)
    return Finding("broker", Level.OK, "answers")


async def examine_runcomfy(folder: Folder) -> list[Finding]:
    """The account's token, and whether RunComfy, or the simulator of a running stack, answers."""
    settings = LocalSettings()
    simulator = folder.read().urls.get("simulator") if folder.is_locked else None
    if settings.runcomfy_api_token is not None:
        token = Finding("token", Level.OK, "RUNCOMFY_API_TOKEN is set")
    elif simulator is not None:
        token = Finding("token", Level.OK, "not needed: 'darkroom up' runs with its simulator")
        return [token, await _examine_base(simulator, trust_env=False)]
    else:
        advice = "Set it to your RunComfy API token; workers do not start without one."
        token = Finding("token", Level.PROBLEM, "RUNCOMFY_API_TOKEN is not set", advice)
    return [token, await _examine_base(settings.runcomfy_model_api_base)]


async def _examine_base(base: str, *, trust_env: bool = True) -> Finding:
    try:
        # Any answer will do; the token stays here.
        async with httpx.AsyncClient(timeout=SECONDS_TO_ANSWER, trust_env=trust_env) as client:
            await client.get(base)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"{base} cannot be reached ({type(error).__name__})"
        advice = "Check the network, a proxy, and RUNCOMFY_MODEL_API_BASE."
        return Finding("runcomfy", Level.PROBLEM, said, advice)
    return Finding("runcomfy", Level.OK, f"{base} answers")


def _line(finding: Finding) -> Text:
    mark, colour = MARKS[finding.level]
    line = Text.assemble((f"{mark} ", colour), f"{finding.check:<17}", finding.says)
    if finding.advice:
        line.append(f"\n  {'':<17}{finding.advice}", style="dim")
    return line
