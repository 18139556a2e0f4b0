"""The stack's warden ends its processes even where the test process is killed."""

import subprocess
import sys

from ops.local import warden


class Warden:
    """A small process that outlives ours only to end what we left (see ``ops/local/warden.py``)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-I", "-S", warden.__file__),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """End this process group when we are gone."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """This process group has ended."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """Let it end what is left, and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
