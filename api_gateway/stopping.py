"""The signal that ends the gateway, heard before the server waits for what it still answers."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_to_stop(call: Callable[[], object]) -> Iterator[None]:
    """Call back on the running loop when the program is told to end, as the server is too.

    ASGI says it only once every answer is out, and an answer that waits for an event would
    hold that up. Where no server listens to signals, or on another thread, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(call)
        server = before[signal.Signals(number)]
        if callable(server):
            server(number, frame)

    listening = [number for number in SIGNALS if callable(before[number])]
    for number in listening:
        signal.signal(number, heard)
    try:
        yield
    finally:
        for number in listening:
            signal.signal(number, before[number])
