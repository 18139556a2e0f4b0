"""A real gateway for tests: a granian process, spoken to over real HTTP."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from tests.servers import free_port

ROOT: Final = Path(__file__).parents[2]
#: Seconds that a gateway may take to start on a busy machine.
PATIENCE: Final = 20.0


class GatewayProcess:
    """A gateway that runs from its making until ``stop``; it serves when the maker returns.

    ``options`` are granian's; ``settings`` are those of the environment, without ``DARKROOM_``.
    """

    def __init__(
        self, log: Path, *, redis_url: str, options: Sequence[str] = (), **settings: str
    ) -> None:
        port = free_port()
        scheme = "https" if "--ssl-certificate" in options else "http"
        self.url = f"{scheme}://127.0.0.1:{port}"
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*granian(), *options, "--port", str(port), "api_gateway:create_app"],
                env=environment(REDIS_URL=redis_url, **settings),
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_it_serves()

    def stop(self) -> None:
        """End it as an operator does, and see that it ends in order."""
        self.process.terminate()
        assert self.process.wait(timeout=PATIENCE) == 0, self.log

    @property
    def log(self) -> str:
        """What it wrote to stdout and stderr so far."""
        return self._log.read_text()

    def _wait_until_it_serves(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"The gateway did not start:\n{self.log}")
            time.sleep(0.02)

    def _serves(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", verify=False).status_code == 200
        except httpx.TransportError:
            return False


def granian() -> list[str]:
    """The plain start, as the README has it."""
    return [sys.executable, "-m", "granian", "--interface", "asgi", "--factory"]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with other settings, and none of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_")}
    return kept | {f"DARKROOM_{name}": value for name, value in settings.items()}
