"""Serves the inspector with granian in the calling process until a signal stops it."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server

_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 1.5


async def serve(app: FastAPI, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``announce`` gets the URL once it can be called.

    Port 0 takes a free one.

    Raises:
        OSError: the address cannot be bound, or is taken.
    """
    with _reserved(host, port) as (ip, free_port):
        server = Server(
            app,
            address=ip,
            port=free_port,
            interface=Interfaces.ASGI,
            websockets=False,
            log_enabled=False,
        )
        stopping = _stopping_on_signals()
        serving = asyncio.create_task(server.serve())
        await _accepting(ip, free_port, serving)
        announce(f"http://{f'[{ip}]' if ':' in ip else ip}:{free_port}")
        await stopping.wait()
        # First the streams: granian waits for every open answer.
        app.state.inspection.feed.close()
        server.stop()  # type: ignore[no-untyped-call]  # granian leaves it unannotated.
        await asyncio.wait({serving}, timeout=_STOP_SECONDS)


@contextmanager
def _reserved(host: str, port: int) -> Iterator[tuple[str, int]]:
    """An address nobody else gets meanwhile.

    granian neither tells which port a 0 became nor takes a bound socket. It does
    share a port (SO_REUSEPORT), so a socket of ours holds it, and never listens.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    ip = str(address[0])
    with socket.socket(family, kind) as probe:
        # Not shared: a second inspector on one port shall fail, not take half the callbacks.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((ip, port))
    with socket.socket(family, kind) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((ip, port))
        yield ip, holder.getsockname()[1]


def _stopping_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def _accepting(ip: str, port: int, serving: asyncio.Task[None]) -> None:
    """Return once a connection is accepted; raise what ended the server, if it ended."""
    async with asyncio.timeout(_START_SECONDS):
        while not serving.done():
            try:
                _, writer = await asyncio.open_connection(ip, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
    await serving
