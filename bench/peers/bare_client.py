"""The bare HTTP client that Darkroom polls with, and nothing else: what could not be cheaper.

httpx over aiohttp's transport on uvloop, a hundred requests at a time, each answer read as JSON.
Started by ``python -m bench.peers.bare_client --url … --seconds …``; prints what it did.
"""

import argparse
import asyncio
import itertools
import json
import time

import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport

AT_ONCE = 100


async def ask(url: str, seconds: float) -> int:
    """As many polls as come to an end in so many seconds."""
    polls, end = itertools.count(), time.monotonic() + seconds
    headers = {"Authorization": "Bearer bench", "User-Agent": "bare"}
    async with httpx.AsyncClient(
        headers=headers, timeout=15, transport=AiohttpTransport(), trust_env=False
    ) as client:

        async def go_on(number: int) -> None:
            while time.monotonic() < end:
                answer = await client.get(f"{url}/v1/requests/bare-{number}/status")
                assert answer.raise_for_status().json()["status"] == "in_progress"
                next(polls)

        await asyncio.gather(*map(go_on, range(AT_ONCE)))
    return next(polls)


def main() -> None:
    """Warm up, then ask; the polls and the CPU-seconds that they took."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--seconds", type=float, default=5.0)
    asked = arguments.parse_args()
    uvloop.run(ask(asked.url, min(1.0, asked.seconds)))
    before = time.process_time()
    polls = uvloop.run(ask(asked.url, asked.seconds))
    print(json.dumps({"polls": polls, "cpu_seconds": time.process_time() - before}))


if __name__ == "__main__":
    main()
