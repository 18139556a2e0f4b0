"""The exporter: a program's metrics over HTTP, at ``/metrics`` of a port of their own.

Apart from the routes that callers have: how much is made here is nobody's business who may
reach those, and whoever scrapes needs no key.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from generations import facts, tally
from generations.connection import Redis, hurrying
from generations.errors import StoreUnavailable
from generations.facts import FactReader, Facts
from generations.logs import logger
from generations.metrics import LOOP_LAG
from generations.siblings import Siblings
from generations.version import own_version

log = logger(__name__)

#: Seconds between two looks for a port and, where a sibling has one, between two tallies.
INTERVAL: Final = 1.0
#: Seconds that a scrape waits for Redis.
PATIENCE: Final = 3.0
#: Seconds between two looks at how late the loop is.
LOOP_LOOK: Final = 0.5
INFO: Final = "Which program this is, and of which version."


class Exporter(Collector):
    """What all processes of this program counted, and the facts of Redis, for whoever asks."""

    def __init__(
        self, program: str, *, redis: Redis, keep: timedelta, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._info = GaugeMetricFamily("darkroom_info", INFO, labels=["program", "version"])
        self._info.add_metric([program, own_version()], 1)
        self._facts = FactReader(redis, keep=keep)
        self._loop = loop
        self._siblings: Siblings | None = None
        self._stopping = threading.Event()
        self._server: Any = None
        self._has_complained = False
        self._thread: threading.Thread | None = None
        self._watch: Future[None] | None = None

    def start(self, host: str, ports: Sequence[int]) -> None:
        """Export on the first of these ports that is free, as soon as one is."""
        self._watch = asyncio.run_coroutine_threadsafe(watch_loop(), self._loop)
        self._thread = threading.Thread(
            target=self._run, args=(host, ports), name="metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Export no more. Not to be called on the loop, which a scrape may be waiting for."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.cancel()
        if self._thread is not None:
            self._thread.join()

    def collect(self) -> Iterator[Metric]:
        """All that is to be told now."""
        yield self._info
        if self._siblings is not None:
            yield from tally.families(self._siblings.total())
        yield from facts.families(self._read_facts())

    def _read_facts(self) -> Facts | None:
        async def read() -> Facts:
            with hurrying(PATIENCE):
                return await self._facts.read()

        reading = asyncio.run_coroutine_threadsafe(read(), self._loop)
        try:
            return reading.result(PATIENCE + INTERVAL)
        except (StoreUnavailable, TimeoutError):
            reading.cancel()
            return None

    def _run(self, host: str, ports: Sequence[int]) -> None:
        try:
            self._siblings = siblings = Siblings.gather()
            while not self._stopping.is_set():
                if self._server is None and siblings.speaks():
                    self._listen(host, ports)
                if siblings.are_many:
                    siblings.write()
                self._stopping.wait(INTERVAL)
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
            siblings.leave()
        except Exception:
            # The edge of this thread: metrics must not bring down what they are about.
            log.exception("metrics.broken")

    def _listen(self, host: str, ports: Sequence[int]) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        for port in ports:
            with suppress(OSError):
                self._server, _ = start_http_server(port, host, registry)
                log.info("metrics.exported", host=host, port=port)
                return
        if not self._has_complained:
            log.warning("metrics.no_free_port", host=host, ports=list(ports))
            self._has_complained = True


@asynccontextmanager
async def exporting(
    program: str, redis: Redis, host: str, ports: Sequence[int], *, keep: timedelta
) -> AsyncIterator[None]:
    """Export meanwhile, from the running loop; without ports, nothing."""
    if not ports:
        yield
        return
    exporter = Exporter(program, redis=redis, keep=keep, loop=asyncio.get_running_loop())
    exporter.start(host, ports)
    try:
        yield
    finally:
        await asyncio.to_thread(exporter.stop)


async def watch_loop() -> None:
    """Observe for ever how late the running loop is."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_LOOK
        await asyncio.sleep(LOOP_LOOK)
        LOOP_LAG.observe(max(loop.time() - due, 0))
