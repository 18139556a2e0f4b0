"""``darkroom`` as its users start it: a command of its own, with its output and its signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ops.local.parts import LISTENING
from ops.local.ports import choose_ports, out_of_the_way
from ops.local.settings import demo_environment
from tests.acceptance.program import ROOT
from tests.acceptance.waiting import eventually

DARKROOM: Final = (sys.executable, "-m", "ops.cli")


def settings(**more: str) -> dict[str, str]:
    """An environment without a developer's settings, with these (``simulator_speed="40"``)."""
    ours = {f"DARKROOM_{name.upper()}": value for name, value in more.items()}
    return {**demo_environment(os.environ), **ours}


def run(
    *arguments: str, environment: Mapping[str, str] | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """One command from its beginning to its end."""
    return subprocess.run(
        [*DARKROOM, *arguments],
        cwd=ROOT,
        env=environment or settings(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Up:
    """A ``darkroom up``."""

    def __init__(
        self, folder: Path, *options: str, ports: Mapping[str, int], environment: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.ports = ports
        self.output_file = folder.with_suffix(".out")
        self.lines_file = folder.with_suffix(".err")
        chosen = (f"--{part}-port={port}" for part, port in ports.items())
        with self.output_file.open("w") as output, self.lines_file.open("w") as lines:
            self.process = subprocess.Popen(
                [*DARKROOM, "up", "--folder", str(folder), *chosen, *options],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=lines,
            )

    @property
    def output(self) -> str:
        """What it has printed on standard output so far."""
        return self.output_file.read_text()

    @property
    def lines(self) -> str:
        """What it has printed on standard error so far."""
        return self.lines_file.read_text()

    def wait_until(self, text: str, *, times: int = 1) -> str:
        """Its whole output, once it has a text in it so many times."""

        def look() -> str | None:
            assert self.process.poll() is None, f"it ended:\n{self.output}{self.lines}"
            whole = self.output + self.lines
            return whole if whole.count(text) >= times else None

        return eventually(look, f"'darkroom up' says {text!r} {times} times", seconds=60)

    def description(self) -> dict[str, Any]:
        """The one object that ``--json`` prints."""
        self.wait_until("}\n")
        found: dict[str, Any] = json.loads(self.output)
        return found

    def end(self, number: signal.Signals) -> int:
        """Send it a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


def free_ports() -> dict[str, int]:
    """A port for each part."""
    return choose_ports(out_of_the_way(list(LISTENING)))[0]


def living_groups(groups: list[int]) -> list[int]:
    """Which of these process groups have a process left."""
    return [group for group in groups if _is_living(group)]


def _is_living(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
