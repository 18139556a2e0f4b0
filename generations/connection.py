"""The connection to Redis: how it is opened, how scripts are loaded, what its errors become."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.resources import files
from typing import Any, Final, ParamSpec, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError, ResponseError

from generations.batching import BatchingRedis
from generations.errors import StoreUnavailable
from generations.servers import SentinelUrl

__all__ = ["PREFIX", "Redis", "connect", "key", "load_script", "reaching_store", "read_hash"]

PREFIX: Final = "darkroom:"
#: Seconds that one command may take before the server counts as gone.
COMMAND_TIMEOUT: Final = 3.0
CONNECT_TIMEOUT: Final = 2.0
#: In uvloop's RuntimeError for a connection that closed while it was being opened, which
#: redis-py lets through.
CLOSED: Final = "the handler is closed"
#: Every script may be asked for again after a lost answer (see the scripts), so a
#: connection that the server closed costs a few milliseconds and not an error.
RETRIES: Final = 2

#: Seconds that one call of a store may take, all its tries together; None: as they take.
_patience: ContextVar[float | None] = ContextVar("patience", default=None)

_P = ParamSpec("_P")
_R = TypeVar("_R")


class BlockingSentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """As for one server: whoever finds every connection in use waits for one.

    redis-py's own pool for Sentinels raises instead, and leaves those to the Sentinels open.
    """

    async def aclose(self) -> None:
        """Close every connection, those to the Sentinels too."""
        await super().aclose()
        await self.sentinel_manager.aclose()


def connect(url: str, *, max_connections: int = 64) -> Redis:
    """A client for a URL (``servers.py``). Nothing is sent until the first command."""
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": COMMAND_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), RETRIES),
    }
    limits: dict[str, Any] = {"max_connections": max_connections, "timeout": COMMAND_TIMEOUT}
    behind = SentinelUrl.parse(url)
    if behind is not None:
        sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            behind.sentinels, username=behind.username, password=behind.password, **options
        )
        client = sentinel.master_for(
            behind.master,
            redis_class=BatchingRedis,
            connection_pool_class=BlockingSentinelPool,
            db=behind.database,
            **limits,
        )
        return cast("Redis", client)
    pool = BlockingConnectionPool.from_url(url, **limits, **options)
    return BatchingRedis.from_pool(pool)


async def read_hash(redis: Redis, name: str) -> dict[str, str]:
    """All fields of a hash; empty where there is none."""
    # redis-py's types leave open what decode_responses settles.
    return cast("dict[str, str]", await redis.hgetall(name))


async def fsync_of(redis: Redis) -> str | None:
    """The server's appendfsync; None where it does not tell, as hosted ones may not."""
    try:
        config = await redis.config_get("appendfsync")
    except ResponseError:
        return None
    return config.get("appendfsync")


def load_script(redis: Redis, *names: str) -> AsyncScript:
    """One of the scripts in ``lua/``, the last one, after the parts that it is built on.

    It is loaded into the server when it is first called.
    """
    folder = files("generations").joinpath("lua")
    return redis.register_script("".join(folder.joinpath(f"{n}.lua").read_text() for n in names))


@contextmanager
def hurrying(seconds: float) -> Iterator[None]:
    """Make the stores give up sooner within this context, for somebody who waits for an answer.

    A server that is frozen, rather than gone, takes each try its whole time.
    """
    before = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(before)


def reaching_store(call: Callable[_P, Awaitable[_R]]) -> Callable[_P, Awaitable[_R]]:
    """Make every failure to reach Redis a StoreUnavailable."""

    @functools.wraps(call)
    async def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        patience = _patience.get()
        try:
            if patience is None:
                return await call(*args, **kwargs)
            async with asyncio.timeout(patience):
                return await call(*args, **kwargs)
        except (RedisError, OSError) as exc:  # TimeoutError is one of the latter.
            # The class alone: a message may hold the server's address.
            raise StoreUnavailable from exc
        except RuntimeError as exc:
            if CLOSED not in str(exc):
                raise
            raise StoreUnavailable from exc

    return guarded


def key(name: str) -> str:
    """The Redis key of a record or an index."""
    return PREFIX + name
