"""A server that stands still: connected, and answering nobody."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from generations.connection import connect


async def pid_of(url: str) -> int:
    """The server's process."""
    redis = connect(url)
    facts = await redis.info("server")
    await redis.aclose()
    return int(facts["process_id"])


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that stands still, its connections open."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
