"""Running the simulator in this process until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from aiohttp import web

from ops.simulator.app import create_app
from ops.simulator.settings import SimulatorSettings

# Calls that hang on purpose would keep a patient shutdown waiting for minutes.
_PATIENCE_SECONDS: Final = 0.2


async def serve(settings: SimulatorSettings, *, when_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. ``when_ready`` is called once, with the base URL."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(
        create_app(settings), access_log=None, shutdown_timeout=_PATIENCE_SECONDS
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1_024).start()
        port = runner.addresses[0][1]
        when_ready(f"http://{settings.host}:{port}")
        await stopped.wait()
    finally:
        await runner.cleanup()
