"""The consumer looks for a broker that is away at a steady pace."""

from typing import Any

import pytest

from worker.app import BROKER_AWAY_INTERVAL, SteadyConsumer, celery


class Connection:
    """Notes how it is asked to connect."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def ensure_connection(self, *_: Any, **how: Any) -> "Connection":
        self.asked = how
        return self


@pytest.fixture
def consumer() -> SteadyConsumer:
    """One that was not started: it needs a worker for that."""
    made = SteadyConsumer.__new__(SteadyConsumer)
    made.app = celery
    made.first_connection_attempt = True
    return made


def test_the_wait_for_a_broker_that_is_away_does_not_grow(consumer: SteadyConsumer) -> None:
    connection = Connection()

    assert consumer.ensure_connected(connection) is connection

    asked = connection.asked
    assert asked["interval_start"] == asked["interval_max"] == BROKER_AWAY_INTERVAL
    assert asked["interval_step"] == 0


def test_workers_are_started_with_it() -> None:
    assert celery.conf.worker_consumer == "worker.app:SteadyConsumer"
