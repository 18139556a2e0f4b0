"""Whether a part is ready: asked again and again until it is."""

import asyncio
from pathlib import Path
from typing import Final

import httpx

from generations.connection import connect, reaching_store
from generations.errors import StoreUnavailable
from ops.local.parts import AnswersHttp, AnswersRedis, Logs, Sign

#: Seconds between two looks, and that one look may take.
INTERVAL: Final = 0.05
LOOK_TIMEOUT: Final = 2.0


async def until_ready(sign: Sign, *, log: Path, since: int) -> None:
    """Come back once a part shows its sign. ``since`` is where its log began, in bytes."""
    match sign:
        case AnswersHttp(url):
            await _until_http(url)
        case AnswersRedis(url):
            await _until_redis(url)
        case Logs(text):
            await _until_logged(text.encode(), log=log, since=since)


async def _until_redis(url: str) -> None:
    redis = connect(url, max_connections=1)
    ping = reaching_store(redis.ping)
    try:
        while True:
            try:
                await ping()
            except StoreUnavailable:
                await asyncio.sleep(INTERVAL)
            else:
                return
    finally:
        await redis.aclose()


async def _until_http(url: str) -> None:
    # Loopback, so never through a proxy that the environment may name.
    async with httpx.AsyncClient(timeout=LOOK_TIMEOUT, trust_env=False) as client:
        while True:
            try:
                answer = await client.get(url)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return
            await asyncio.sleep(INTERVAL)


async def _until_logged(text: bytes, *, log: Path, since: int) -> None:
    with log.open("rb") as lines:
        while True:
            lines.seek(since)
            if text in lines.read():
                return
            await asyncio.sleep(INTERVAL)
