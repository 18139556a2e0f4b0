"""The consumer when its broker goes away between a message and its acknowledgement."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from celery.worker.consumer import Consumer
from kombu import Connection
from kombu.simple import SimpleQueue

from tests.servers import valkey
from worker.app import SteadyConsumer, celery


@dataclass(frozen=True, slots=True)
class Broken:
    """A worker's connection whose server is gone, and a message not acknowledged yet."""

    connection: Any
    message: Any


@contextmanager
def breaking(options: dict[str, Any]) -> Iterator[Broken]:
    with valkey() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        connection: Any = Connection(url, transport_options=options)
        hints = SimpleQueue(connection.default_channel, "hints")
        SimpleQueue(connection.channel(), "others").consumer.consume()
        hints.put("a hint")
        message = hints.get(timeout=5)
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.05)  # Both channels ask for more.
    channels = list(connection.transport.channels)
    yield Broken(connection, message)
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


def test_the_loss_of_its_broker_ends_celerys_own_consumer() -> None:
    # Once this fails, ours can do without its remedy.
    with breaking({}) as broken, pytest.raises(AttributeError, match="hostname"):
        lose(broken.connection, Consumer)


def test_the_loss_of_its_broker_does_not_end_ours() -> None:
    with breaking(celery.conf.broker_transport_options) as broken:
        lose(broken.connection, SteadyConsumer)


def test_a_message_from_before_the_loss_can_be_acknowledged_after_it() -> None:
    with breaking(celery.conf.broker_transport_options) as broken:
        lose(broken.connection, SteadyConsumer)

        broken.message.ack()

        assert broken.message.acknowledged
