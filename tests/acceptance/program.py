"""One program of the stack: a process group of its own, and a log."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.acceptance.waiting import eventually
from tests.acceptance.warden import Warden

ROOT: Final = Path(__file__).parents[2]
TAIL_LINES: Final = 25


class Program:
    """A command that is started, ended and started again under one name."""

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        *,
        environment: Mapping[str, str],
        log: Path,
        is_ready: "Sign",
        warden: Warden,
    ) -> None:
        self.name = name
        self.command = command
        self.environment = dict(environment)
        self.log = log
        self._is_ready = is_ready
        self._warden = warden
        self._process: subprocess.Popen[bytes] | None = None
        #: Where the log of the present life begins.
        self._since = 0

    def start(self) -> None:
        """Start it; see :meth:`wait_until_ready`."""
        with self.log.open("ab") as log:
            self._since = log.tell()
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
            )
        self._warden.watch(self._process.pid)

    def wait_until_ready(self) -> None:
        """Come back when it is ready; fail at once where it ended instead."""

        def look() -> bool:
            assert self.is_running, f"{self.name} ended with {self.exit_code}:\n{self.tail()}"
            return self._is_ready(self)

        eventually(look, f"{self.name} is ready", seconds=60)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process, which leads a group of the same number."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def terminate(self) -> None:
        """SIGTERM, to its first process, as a supervisor does."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, *, seconds: float) -> int:
        """Its exit code, once it ended by itself; what it started is ended too."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all of it, and no process left behind."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # All of it may have ended before.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._warden.forget(self._process.pid)

    def text(self, *, whole: bool = False) -> str:
        """What it logged in its present life, or in all of its lives."""
        logged = self.log.read_bytes() if self.log.exists() else b""
        return (logged if whole else logged[self._since :]).decode(errors="replace")

    def tasks_done(self) -> int:
        """How many Celery tasks it has finished, where it is a worker."""
        return self.text().count("] succeeded in ")

    @property
    def is_busy(self) -> bool:
        """Whether it has Celery tasks that it has not finished, where it is a worker."""
        return self.text().count('] received"') > self.tasks_done()

    def has_logged(self, *words: str) -> bool:
        """Whether one line of its present life has all of these words."""
        return any(all(word in line for word in words) for line in self.text().splitlines())

    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(self.text(whole=True).splitlines()[-TAIL_LINES:])


#: Whether a program is ready.
Sign = Callable[[Program], bool]
