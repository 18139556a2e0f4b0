"""``darkroom up``: the local stack, shown line by line, until it is told to stop."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from ops.local.folder import Folder
from ops.local.keys import ORIGIN
from ops.local.parts import Part
from ops.local.ports import TakenPort
from ops.local.stack import LocalStack, Wishes, local_stack

NAME_WIDTH: Final = 10
COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")
#: Seconds between two looks at the logs.
LOG_INTERVAL: Final = 0.1


class Lines:
    """Tells a person what happens to the stack, one line each."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str | Text = "") -> None:
        """One line, never wrapped: what is printed may be copied."""
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)

    def ready(self, part: Part, seconds: float) -> None:  # noqa: ARG002  # An audience's.
        where = f"{part.url or 'takes work':<27}"
        self.say(Text.assemble((_name(part.name), "bold green"), where, " ", (part.note, "dim")))

    def died(self, part: Part, ending: str, wait: float) -> None:
        said = f"{ending}; it is started again in {wait:g} s"
        self.say(Text.assemble((_name(part.name), "bold red"), said))

    def port_taken(self, taken: TakenPort) -> None:
        self.say(Text(str(taken), style="yellow"))


def _name(part: str) -> str:
    return f"{part:<{NAME_WIDTH}}"


async def run_up(wishes: Wishes, folder: Folder, *, verbose: bool, as_json: bool) -> None:
    """Run the stack until Ctrl-C or SIGTERM; what stops it from starting is raised."""
    # With --json, standard output is for the one object.
    lines = Lines(Console(stderr=as_json))
    with folder.locked(), contextlib.suppress(asyncio.CancelledError):
        async with (
            _shown_logs(folder, lines) if verbose else _nothing(),
            local_stack(wishes, folder, lines) as stack,
        ):
            if as_json:
                _write_json(stack, folder)
            else:
                _invite(stack, lines)
            await asyncio.Event().wait()
    lines.say("Everything has ended.")


def _invite(stack: LocalStack, lines: Lines) -> None:
    lines.say()
    lines.say("Everything is ready. Paste this, and watch the inspector:")
    lines.say()
    lines.say(stack.curl)
    lines.say()
    user, _, password = stack.plan.flower_login.partition(":")
    lines.say(f"Flower asks for the user {user} and the password {password}")
    lines.say("Ctrl-C ends everything.")


def _write_json(stack: LocalStack, folder: Folder) -> None:
    sys.stdout.write(json.dumps(description(stack, folder)) + "\n")
    sys.stdout.flush()


def description(stack: LocalStack, folder: Folder) -> dict[str, Any]:
    """What ``up --json`` prints."""
    pids = stack.supervisor.pids
    return {
        "folder": str(folder.path),
        "parts": {
            part.name: {
                "url": part.url or None,
                "metrics": part.metrics or None,
                "pid": pids.get(part.name),
                "log": str(folder.log_of(part.name)),
            }
            for part in stack.supervisor.parts
        },
        "urls": stack.urls,
        "redis_url": stack.plan.redis_url,
        "origin": ORIGIN,
        "api_key": stack.api_key,
        "webhook_secret": stack.plan.webhook_secret.split()[0],
        "webhook": stack.webhook,
        "curl": stack.curl,
        "flower_login": stack.plan.flower_login,
    }


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _shown_logs(folder: Folder, lines: Lines) -> AsyncIterator[None]:
    showing = asyncio.create_task(_show_logs(folder, lines))
    try:
        yield
    finally:
        showing.cancel()


async def _show_logs(folder: Folder, lines: Lines) -> None:
    """Show what each part writes, with its name in its colour, from the beginning."""
    with contextlib.ExitStack() as stack:
        files: dict[Path, TextIO] = {}
        while True:
            for log in folder.logs():
                if log not in files:
                    files[log] = stack.enter_context(log.open(errors="replace"))
            for colour, (log, file) in zip(cycle(COLOURS), files.items(), strict=False):
                if log.stat().st_size < file.tell():
                    file.seek(0)  # Begun anew by a part that starts.
                while line := file.readline():
                    lines.say(Text.assemble((_name(log.stem), colour), line.rstrip("\n")))
            await asyncio.sleep(LOG_INTERVAL)
