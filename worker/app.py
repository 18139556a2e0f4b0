"""The Celery application: its configuration and its signals."""

import os
import threading
from functools import partial
from typing import Any, Final

from celery import Celery
from celery.signals import (
    import_modules,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from celery.worker.consumer import Consumer
from kombu import Queue
from structlog.contextvars import bind_contextvars, clear_contextvars

from generations.garbage import spare_what_stays
from generations.logs import configure_logs, logger
from generations.servers import for_kombu
from generations.settings import StoreSettings, WorkerSettings, load_settings
from generations.steps import Lane
from generations.traces import collect_traces, end_traces
from worker.dispatcher import TASK_NAMES, Dispatcher
from worker.heartbeat import ShowsSigns
from worker.leases import STOP_GRACE, STOP_LIMIT
from worker.loop import process_loop
from worker.watching import guard_flower

log = logger(__name__)

#: How many chunks one worker process runs at once; each waits on the event loop.
CHUNKS_AT_ONCE: Final = 32

#: Seconds between two tries to reach a broker that is away.
BROKER_AWAY_INTERVAL: Final = 1

celery = Celery("darkroom", include=["worker.tasks"])
celery.steps["worker"].add(Dispatcher)
celery.steps["consumer"].add(ShowsSigns)


class SteadyConsumer(Consumer):
    """Celery's consumer, which outlives its broker's outages and is back within a second.

    Celery's own waits longer and longer for a broker that is away, half a minute in the end,
    and no setting changes that: an outage of minutes would go on after its end. And 5.7.0's
    ends its worker where the broker goes away between a message and its acknowledgement.
    """

    def ensure_connected(self, conn: Any) -> Any:
        """The connection, once it is there."""
        conn.ensure_connection = partial(
            conn.ensure_connection,
            interval_start=BROKER_AWAY_INTERVAL,
            interval_step=0,
            interval_max=BROKER_AWAY_INTERVAL,
        )
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of the broken connection."""
        connection: Any = self.connection  # Its stubs do not know virtual transports.
        for channel in connection.transport.channels:
            # Putting messages back is what fails. They are hints, which the leases repeat.
            channel.do_restore = False
        super().on_connection_error_after_connected(exc)


def configuration() -> dict[str, Any]:
    """What Celery reads when it first needs it; reads the environment then, and not at import."""
    broker_url, transport_options = for_kombu(StoreSettings().broker)
    return {
        "broker_url": broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": CHUNKS_AT_ONCE,
        "broker_transport_options": {
            **transport_options,
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "max_connections": CHUNKS_AT_ONCE + 8,
            # Messages are hints: what a killed worker had taken is claimed again when its lease
            # ends, so nobody keeps account of it in Redis. An acknowledgement that has to reach
            # a broker which is gone ends a worker of Celery 5.7.0.
            "ack_emulation": False,
        },
        "task_queues": [Queue(lane, routing_key=lane) for lane in Lane],
        # Flower shows the queue of this name beside those in use.
        "task_default_queue": Lane.SUBMISSIONS,
        "task_routes": {name: {"queue": lane} for lane, name in TASK_NAMES.items()},
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_send_sent_event": True,
        "worker_send_task_events": True,
        # It protects from long tasks that hold messages, and ours hold none.
        "worker_enable_prefetch_count_reduction": False,
        "worker_consumer": f"{SteadyConsumer.__module__}:{SteadyConsumer.__qualname__}",
        "worker_pool": "threads",
        "worker_concurrency": CHUNKS_AT_ONCE,
        "worker_disable_prefetch": True,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": True,
    }


celery.add_defaults(configuration)


@setup_logging.connect
def _configure_logs(**_: Any) -> None:
    configure_logs(StoreSettings().log_level)


@import_modules.connect
def _guard_flower(**_: Any) -> None:
    guard_flower()  # Flower sends this signal before it listens; workers send it too.


@worker_init.connect
def _check_settings(**_: Any) -> None:
    # Refuse to start, rather than fail at the first task.
    collect_traces("worker", load_settings(WorkerSettings))


@worker_ready.connect
def _begin(**_: Any) -> None:
    spare_what_stays()


@task_prerun.connect
def _bind(task_id: str, task: Any, **_: Any) -> None:
    bind_contextvars(task_id=task_id, task=task.name)


@task_postrun.connect
def _unbind(**_: Any) -> None:
    clear_contextvars()


@worker_shutting_down.connect
def _end_in_time(**_: Any) -> None:
    for wait, end in ((STOP_GRACE, process_loop.hurry), (STOP_LIMIT, _end_at_once)):
        timer = threading.Timer(wait.total_seconds(), end)
        timer.daemon = True
        timer.start()


def _end_at_once() -> None:
    log.error("worker.cut_short", seconds=STOP_LIMIT.total_seconds())
    os._exit(1)


@worker_shutdown.connect
def _close(**_: Any) -> None:
    process_loop.close()
    end_traces()
