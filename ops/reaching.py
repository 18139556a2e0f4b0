"""Work of a command on the records, wherever they are."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ops.endings import ending_in_sentences

if TYPE_CHECKING:
    from generations.connection import Redis

_R = TypeVar("_R")


def with_redis(folder: Path, work: "Callable[[Redis], Awaitable[_R]]") -> _R:
    """What work on the store comes to; where it cannot be done, a sentence and exit code 1.

    Args:
        folder: of a ``darkroom up`` that runs, whose store it is unless the environment says.
        work: is given a client, which is closed afterwards.
    """
    import asyncio

    from ops.local.folder import Folder

    with ending_in_sentences():
        return asyncio.run(_run(Folder(folder).redis_url(), work))


async def _run(redis_url: str, work: "Callable[[Redis], Awaitable[_R]]") -> _R:
    from generations.connection import connect

    redis = connect(redis_url, max_connections=2)
    try:
        return await work(redis)
    finally:
        await redis.aclose()
