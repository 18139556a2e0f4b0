"""A file that is touched while a worker works, by which whoever supervises it can tell.

It is old when the dispatcher, the event loop or Celery's consumer stand still: asking with
``celery inspect ping`` costs seconds of a processor, and is answered without any of them.
While Redis is away all is well with the worker, and starting it anew would help nobody.
"""

import time
from pathlib import Path
from typing import Any, Final

from celery import bootsteps

from generations.logs import logger
from generations.settings import WorkerSettings

log = logger(__name__)

#: Seconds between two touches, and between two signs of the consumer.
INTERVAL: Final = 2.0
#: Seconds without a sign after which a consumer that has its broker counts as standing still.
CONSUMER_LATE: Final = 30.0


class Heartbeat:
    """Touches the file at most every few seconds, and only while the consumer moves."""

    def __init__(self, file: Path | None, consumer: "ConsumerSigns") -> None:
        self._file = file
        self._consumer = consumer
        self._next = 0.0

    def beat(self) -> None:
        """Say that a round went as it should, or that there is nothing to go round for."""
        now = time.monotonic()
        if self._file is None or now < self._next or self._consumer.is_late(now):
            return
        self._next = now + INTERVAL
        try:
            self._file.touch()
        except OSError as exc:
            log.warning("heartbeat.unwritable", reason=type(exc).__name__)


class ConsumerSigns:
    """When Celery's consumer last came round; it has nothing to show while its broker is away."""

    def __init__(self) -> None:
        self._last: float | None = None

    def show(self) -> None:
        """It came round now."""
        self._last = time.monotonic()

    def away(self) -> None:
        """It lost its broker, or ends."""
        self._last = None

    def is_late(self, now: float) -> bool:
        """Whether it has its broker and stands still all the same."""
        return self._last is not None and now - self._last > CONSUMER_LATE


class ShowsSigns(bootsteps.StartStopStep):
    """Has the consumer's own timer show that it moves."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """The broker is there."""
        signs.show()
        self._timer = consumer.timer.call_repeatedly(INTERVAL, signs.show)

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery's signature
        """The broker is away, or the worker ends."""
        if self._timer is not None:
            self._timer.cancel()
        signs.away()

    def shutdown(self, consumer: Any) -> None:
        """The worker ends."""
        self.stop(consumer)


#: Those of this process.
signs: Final = ConsumerSigns()


def heartbeat_of(settings: WorkerSettings) -> Heartbeat:
    """The heartbeat of this process."""
    return Heartbeat(settings.heartbeat_file, signs)
