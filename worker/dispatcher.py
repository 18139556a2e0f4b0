"""The dispatcher: due ids become Celery messages. A thread of its own in every worker.

Any number of them may run: claims are atomic, so there is no leader. A message that is
lost, or a worker that dies, costs one lease.
"""

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

from celery import bootsteps
from kombu import Connection
from kombu.exceptions import OperationalError

from generations.due import SUSPECTS, Claim
from generations.errors import StoreUnavailable
from generations.logs import logger
from generations.metrics import AUDIT_REPAIRS
from generations.steps import Lane
from worker.catalog import refresh_in_turn
from worker.clients import Clients
from worker.heartbeat import heartbeat_of
from worker.leases import IN_QUEUE
from worker.loop import LoopThread, process_loop
from worker.publishing import PUBLISH_INTERVAL, publish_keys
from worker.trials import try_alone

log = logger(__name__)

#: A task takes at most so many ids.
LARGEST_CHUNK: Final = 100
#: What is due is spread over about so many tasks, so that each has one id while little is due.
#: A task costs as much as several polls do, so with more due than that their number stays.
CHUNKS_A_ROUND: Final = 2
#: With so many messages waiting in a queue, no more is claimed for it: claims that nobody
#: is about to take would only run out.
WAITING_MESSAGES: Final = 64
#: Of submissions fewer, in smaller chunks: what is claimed has had its turn, and is before all
#: that other origins ask for from then on.
WAITING_SUBMISSIONS: Final = 8
SUBMISSIONS_A_CHUNK: Final = 25
#: Seconds between looks while Redis is away.
AWAY_INTERVAL: Final = 1.0

#: How often all that is unfinished is compared with the due index, by whichever worker.
AUDIT_INTERVAL: Final = timedelta(seconds=5)
#: How often each worker looks whether the catalog of models is to be fetched.
REFRESH_INTERVAL: Final = timedelta(seconds=10)

TASK_NAMES: Final[Mapping[Lane, str]] = {
    Lane.SUBMISSIONS: "darkroom.submit",
    Lane.POLLS: "darkroom.poll",
    Lane.DELIVERIES: "darkroom.deliver",
}


class Dispatcher(bootsteps.StartStopStep):
    """Starts and stops the dispatcher's thread with its worker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, worker: Any) -> None:
        """Begin to dispatch."""
        rounds = Rounds(worker.app, process_loop.get(), self._stopping)
        self._thread = threading.Thread(target=rounds.run, name="dispatcher", daemon=True)
        self._thread.start()

    def stop(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Claim nothing more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def terminate(self, worker: Any) -> None:
        """Claim nothing more, when the worker is told to end at once."""
        self.stop(worker)


class Rounds:
    """Looks for what is due, round after round, and sends it out."""

    def __init__(self, app: Any, loop: LoopThread, stopping: threading.Event) -> None:
        self._app = app
        self._loop = loop
        self._interval = loop.settings.dispatch_interval.total_seconds()
        self._stopping = stopping
        self._heartbeat = heartbeat_of(loop.settings)
        self._next_audit = 0.0
        self._next_refresh = 0.0
        self._next_publication = 0.0
        wanted = max(loop.settings.catalog_interval, timedelta(seconds=1))
        self._refresh_interval = min(REFRESH_INTERVAL, wanted).total_seconds()
        #: The lanes to which the last round sent something.
        self._sent: set[Lane] = set()
        #: Suspects are tried by one process at a time, beside this one.
        self._trial: Future[None] | None = None

    def run(self) -> None:
        """Go on until told to stop; while Redis is away, wait for it."""
        while not self._stopping.is_set():
            connection = self._app.connection_for_write()
            away: tuple[type[BaseException], ...] = (
                StoreUnavailable,
                OperationalError,
                *connection.recoverable_connection_errors,
            )
            try:
                # Closing a connection that broke may raise too.
                with connection:
                    self._run_on(connection)
            except away as exc:
                log.warning("dispatcher.waiting", reason=type(exc).__name__)
                self._heartbeat.beat()
            except Exception:
                # The edge of this thread: whatever it is, a later round may be better.
                log.exception("dispatcher.broken")
            self._stopping.wait(AWAY_INTERVAL)

    def _run_on(self, connection: Connection) -> None:
        while not self._stopping.wait(self._interval):
            self._round(connection)
            self._heartbeat.beat()

    def _round(self, connection: Connection) -> None:
        if time.monotonic() >= self._next_audit:
            self._next_audit = time.monotonic() + AUDIT_INTERVAL.total_seconds()
            self._loop.run(audit_in_turn)
        if time.monotonic() >= self._next_publication:
            # Before anything is claimed: a key is shown before anything is signed with it.
            self._loop.run(publish_keys)
            self._next_publication = time.monotonic() + PUBLISH_INTERVAL.total_seconds()
        if time.monotonic() >= self._next_refresh:
            self._next_refresh = time.monotonic() + self._refresh_interval
            self._loop.begin(refresh_in_turn)
        limits = {lane: self._room(lane, connection) for lane in Lane}
        claims = self._send_to_trial(self._claim(limits))
        self._sent = {claim.lane for claim in claims}
        for lane in self._sent:
            for chunk in chunked([claim for claim in claims if claim.lane == lane]):
                self._send(lane, chunk, connection)

    def _claim(self, limits: Mapping[Lane, int]) -> list[Claim]:
        suspects = SUSPECTS if self._trial is None or self._trial.done() else 0
        return self._loop.run(
            lambda clients: clients.due.claim(limits, lease=IN_QUEUE, suspects=suspects)
        )

    def _send_to_trial(self, claims: Sequence[Claim]) -> list[Claim]:
        """Begin to try the suspects among them; the others."""
        if suspects := [claim for claim in claims if claim.is_suspect]:
            self._trial = self._loop.begin(lambda clients: try_alone(suspects, clients))
        return [claim for claim in claims if not claim.is_suspect]

    def _room(self, lane: Lane, connection: Connection) -> int:
        is_fair = lane is Lane.SUBMISSIONS
        most_waiting = WAITING_SUBMISSIONS if is_fair else WAITING_MESSAGES
        largest_chunk = SUBMISSIONS_A_CHUNK if is_fair else LARGEST_CHUNK
        # A lane that got nothing last time has nothing of ours waiting in its queue.
        if lane in self._sent:
            channel: Any = connection.default_channel
            declared = channel.queue_declare(queue=lane)
            if declared.message_count >= most_waiting:
                return 0
        return CHUNKS_A_ROUND * largest_chunk

    def _send(self, lane: Lane, chunk: Sequence[Claim], connection: Connection) -> None:
        pairs = [(claim.id, claim.fence) for claim in chunk]
        self._app.send_task(
            TASK_NAMES[lane],
            args=[pairs],
            # What Flower shows: every id of a large chunk too, so that each can be found.
            argsrepr=" ".join(claim.id for claim in chunk),
            connection=connection,
            retry=False,
        )


async def audit_in_turn(clients: Clients) -> None:
    """Compare records with the due index, unless another worker just did."""
    if not await clients.due.is_my_turn("audit", interval=AUDIT_INTERVAL):
        return
    found = await clients.due.audit(
        submitting=clients.leases.lease(Lane.SUBMISSIONS),
        longest=clients.leases.longest_waits(clients.settings.delivery_schedule),
    )
    for kind in ("put_back", "pulled_back", "forgotten"):
        AUDIT_REPAIRS.labels(kind).inc(getattr(found, kind))
    if found.put_back or found.pulled_back or found.forgotten:
        log.error(
            "audit.mended",
            put_back=found.put_back,
            pulled_back=found.pulled_back,
            forgotten=found.forgotten,
        )


def chunked(claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    """One claim a chunk while few are due, larger chunks as there are more."""
    size = min(math.ceil(len(claims) / CHUNKS_A_ROUND), LARGEST_CHUNK)
    for start in range(0, len(claims), size or 1):
        yield claims[start : start + size]
