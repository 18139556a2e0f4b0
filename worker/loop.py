"""One event loop thread per worker process; tasks hand it coroutines and wait."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

import uvloop

from generations.exporter import Exporter
from generations.logs import logger
from generations.settings import WorkerSettings
from worker.clients import Clients

log = logger(__name__)

_R = TypeVar("_R")


class LoopThread:
    """An event loop in a thread of its own, with the clients that live on it."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()
        self.pid = os.getpid()
        self.settings = settings
        self._clients = self._run(lambda: Clients.open(settings))
        self._begun: set[Future[None]] = set()
        self._exporter = self._exported()

    def run(self, work: Callable[[Clients], Awaitable[_R]]) -> _R:
        """Run work on the loop and return what it returns.

        Waits without a limit: everything that runs here bounds itself (claims.py).
        """
        return self._run(lambda: work(self._clients))

    def begin(self, work: Callable[[Clients], Awaitable[None]]) -> Future[None]:
        """Begin work on the loop and go on at once; it ends with the loop."""
        begun = asyncio.run_coroutine_threadsafe(self._guarded(work), self._loop)
        self._begun = {begun, *(other for other in self._begun if not other.done())}
        return begun

    def hurry(self) -> None:
        """End the calls that are under way; each claim is settled or given back at once."""
        self._loop.call_soon_threadsafe(self._clients.calls.end)

    def close(self) -> None:
        """Close the clients and end the thread."""
        if self._exporter is not None:
            self._exporter.stop()
        for begun in self._begun:
            begun.cancel()
        self._run(self._clients.lingering.finish)
        self._run(self._clients.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _exported(self) -> Exporter | None:
        if not self.settings.metrics_ports:
            return None
        exporter = Exporter(
            "worker", redis=self._clients.redis, keep=self._clients.settings.keep, loop=self._loop
        )
        exporter.start(self.settings.metrics_host, self.settings.metrics_ports)
        return exporter

    async def _guarded(self, work: Callable[[Clients], Awaitable[None]]) -> None:
        try:
            await work(self._clients)
        except Exception:
            # The edge: nobody waits for it, so nobody else would tell.
            log.exception("background.broken")

    def _run(self, work: Callable[[], Awaitable[_R]]) -> _R:
        async def awaited() -> _R:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()


class ProcessLoop:
    """The loop of this process, started when it is first used, anew in each forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None

    def get(self) -> LoopThread:
        """The running loop."""
        with self._lock:
            if self._thread is None or self._thread.pid != os.getpid():
                self._thread = LoopThread(WorkerSettings())
            return self._thread

    def hurry(self) -> None:
        """End the calls that are under way, if the loop runs here."""
        thread = self._thread
        if thread is not None and thread.pid == os.getpid():
            thread.hurry()

    def close(self) -> None:
        """Stop the loop, if it runs here."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread.pid == os.getpid():
            thread.close()


process_loop = ProcessLoop()
