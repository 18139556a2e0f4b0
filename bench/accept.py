"""Durable accepts per gateway CPU-second, beside plain FastAPI and Celery gateways.

One run, one machine, one Valkey that writes to disk before it answers, for all. Darkroom's
requests carry an API key, an idempotency key of their own and an input that is checked; the
peers' carry the same bytes, and they look at none of them. Each is first driven as fast as it
answers, which gives the accepts per CPU-second of its processes (the load generator's and
Valkey's are not counted), then at half that rate, which gives the latency.
"""

import argparse
import asyncio
import itertools
import json
import platform
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

from api_gateway.schemas import INPUT, MODEL_ID
from bench.load import Requests, as_fast_as_answered, at_a_rate, connections
from bench.serving import Stage, cpu_seconds, free_port, serving
from ops.local.parts import AnswersHttp, Part, python_command
from ops.local.settings import HOST

DARKROOM, PLAIN = "darkroom", "plain FastAPI + Celery"
#: The routes of the peer, which do the same in two ways.
PEERS: Final = ("in-threads", "on-the-loop")
CONNECTIONS: Final = 32
WARM_UP: Final = 2.0
REPORT: Final = Path("build/accept.json")


@dataclass(frozen=True, slots=True)
class Measured:
    """One gateway's figures."""

    accepts: int
    cpu_seconds: float
    seconds: float
    #: Milliseconds at half the rate that it reached.
    half_rate: float
    p50_ms: float
    p99_ms: float

    @property
    def per_cpu_second(self) -> float:
        """Accepts per CPU-second of the gateway's processes."""
        return self.accepts / self.cpu_seconds


async def measure(seconds: float) -> dict[str, Measured]:
    """Each gateway, one after the other, on one Valkey."""
    async with serving() as darkroom:
        url = await start_plain(darkroom.stage, {"PLAIN_BROKER_URL": darkroom.stage.database(2)})
        measured = {DARKROOM: await measure_one(darkroom.pid, darkroom.url, darkroom.key, seconds)}
        for way in PEERS:
            measured[f"{PLAIN}, {way}"] = await measure_one(
                darkroom.stage.supervisor.pids[PLAIN], f"{url}/{way}", darkroom.key, seconds
            )
        return measured


async def start_plain(stage: Stage, environment: dict[str, str]) -> str:
    """Start the peer, under the same server with the same options; its URL."""
    port = free_port(PLAIN)
    url = f"http://{HOST}:{port}"
    command = python_command(
        *("granian", "--interface", "asgi", "--no-ws", "--host", HOST, "--port", str(port)),
        "bench.peers.plain_gateway:app",
    )
    await stage.start(Part(PLAIN, command, AnswersHttp(f"{url}/readyz"), environment=environment))
    return url


async def measure_one(pid: int, url: str, key: str, seconds: float) -> Measured:
    """One gateway: as fast as it answers, then at half that rate."""
    requests = submissions(url, key)
    async with connections(url, CONNECTIONS) as pool:
        await as_fast_as_answered(pool, requests, seconds=WARM_UP)
        before = cpu_seconds(pid)
        fast = await as_fast_as_answered(pool, requests, seconds=seconds)
        spent = cpu_seconds(pid) - before
        half = len(fast.waits) / seconds / 2
        steady = await at_a_rate(pool, requests, rate=half, seconds=seconds)
    if fast.refused or steady.refused:
        raise SystemExit(f"{url} refused {fast.refused + steady.refused} requests: no figure.")
    waits = sorted(steady.waits)
    return Measured(
        accepts=len(fast.waits),
        cpu_seconds=spent,
        seconds=seconds,
        half_rate=half,
        p50_ms=1000 * waits[len(waits) // 2],
        p99_ms=1000 * waits[int(len(waits) * 0.99)],
    )


def submissions(url: str, key: str) -> Requests:
    """RunComfy's example request, again and again, each with an idempotency key of its own."""
    body = json.dumps(INPUT).encode()
    parts = urlsplit(url)
    head = (
        f"POST {parts.path}/v1/models/{MODEL_ID} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: {secrets.token_hex(8)}-"
    ).encode()
    numbers = itertools.count()
    return lambda: b"%b%d\r\n\r\n%b" % (head, next(numbers), body)


def main() -> None:
    """Measure, print the table and write the report."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seconds", type=float, default=15.0, help="of each of six runs")
    sys.stderr.write("About six times as many seconds as asked for, and a start of ten.\n")
    measured = asyncio.run(measure(arguments.parse_args().seconds))
    print(f"Python {platform.python_version()}, {platform.machine()}, {psutil.cpu_count()} cores\n")
    print(f"{'':<38}{'accepts/CPU-s':>14}{'accepts/s':>11}{'p50 ms':>8}{'p99 ms':>8}  at")
    for name, one in measured.items():
        rate = one.accepts / one.seconds
        print(
            f"{name:<38}{one.per_cpu_second:>14.0f}{rate:>11.0f}{one.p50_ms:>8.1f}"
            f"{one.p99_ms:>8.1f}  {one.half_rate:.0f}/s"
        )
    best = max(one.per_cpu_second for name, one in measured.items() if name != DARKROOM)
    ratio = measured[DARKROOM].per_cpu_second / best
    print(f"\n{ratio:.2f} times the better peer's accepts per CPU-second")
    REPORT.parent.mkdir(exist_ok=True)
    rows = {
        name: {**asdict(one), "per_cpu_second": one.per_cpu_second}
        for name, one in measured.items()
    }
    REPORT.write_text(json.dumps({**rows, "ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
