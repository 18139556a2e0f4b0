"""What stands between a worker and RunComfy: a gate that keeps answers, and a closed door."""

import socket
import threading
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

HOST: Final = "127.0.0.1"
CHUNK: Final = 65536


class Gate:
    """Passes every byte on to RunComfy, and its answers back once they may pass."""

    def __init__(self, url: str) -> None:
        self._runcomfy = (HOST, urlsplit(url).port or 80)
        self._listener = socket.create_server((HOST, 0))
        self._open = threading.Event()
        self._open.set()
        self._waiting = 0
        self._lock = threading.Lock()
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_answers(self) -> None:
        """Keep whatever RunComfy answers from now on."""
        self._open.clear()

    def let_answers_through(self) -> None:
        """Pass on what was kept, and what comes."""
        self._open.set()

    @property
    def answers_held(self) -> int:
        """How many connections have an answer waiting here."""
        return self._waiting

    def close(self) -> None:
        self._open.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # The listener is closed at the end.
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._runcomfy)
                for pump in (self._ask, self._answer):
                    threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):  # Either side may have gone.
            while some := near.recv(CHUNK):
                far.sendall(some)
            far.shutdown(socket.SHUT_WR)

    def _answer(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            while some := far.recv(CHUNK):
                self._wait()
                near.sendall(some)

    def _wait(self) -> None:
        with self._lock:
            self._waiting += 1
        self._open.wait()
        with self._lock:
            self._waiting -= 1


class ClosedDoor:
    """An address where a connection never comes about: nobody accepts, and the queue is full."""

    def __init__(self) -> None:
        # No backlog at all still lets one in.
        self._listener = socket.create_server((HOST, 0), backlog=0)
        address = self._listener.getsockname()
        self._first = socket.create_connection(address)
        self.url = f"http://{HOST}:{address[1]}/v1"

    def close(self) -> None:
        self._first.close()
        self._listener.close()
