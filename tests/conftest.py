"""The Redis server of the tests: a real one, started once, emptied for each test."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from tests.servers import valkey

# Programs of the tests export their metrics only where a test is about that.
os.environ |= {"DARKROOM_GATEWAY_METRICS_PORT": "0", "DARKROOM_WORKER_METRICS_PORT": "0"}


@dataclass(frozen=True, slots=True)
class RedisServer:
    """Where the server of this test session is."""

    host: str
    port: int
    pid: int

    def url(self, database: int = 0) -> str:
        """The URL of one of its databases."""
        return f"redis://{self.host}:{self.port}/{database}"


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    """A Valkey server for the whole session."""
    with valkey() as server:
        with redis.Redis(host=server.host, port=server.port) as client:
            pid = client.info("server")["process_id"]
        yield RedisServer(server.host, server.port, pid)


@pytest.fixture
def redis_url(valkey_server: RedisServer) -> str:
    """Database 0 of the session's server; it and database 1 are empty."""
    for database in (0, 1):
        with redis.Redis.from_url(valkey_server.url(database)) as client:
            client.flushdb()
    return valkey_server.url()
