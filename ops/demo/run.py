"""Plays the demo from nothing to nothing: starts everything, watches, judges, ends everything."""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from ops.demo.client import DemoClient
from ops.demo.screen import Screen
from ops.demo.verdict import Facts, has_all_tasks, judge, output_url, timings
from ops.endings import tail
from ops.local import parts
from ops.local.errors import CannotRun, PartCannotStart
from ops.local.example import MODEL_ID
from ops.local.folder import Folder
from ops.local.ports import out_of_the_way
from ops.local.settings import LocalSettings, demo_environment, inherited_environment
from ops.local.stack import LocalStack, Wishes, local_stack
from ops.story import Json, Step, Story

LAST_LINE: Final = "demo: 1 generation succeeded, 1 callback verified"
#: Seconds from the beginning: until all parts run, until all has happened, until parts that
#: do not end by themselves are killed. A usual run takes 35; a crowded machine may take its time.
START_BY: Final = 60.0
FINISH_BY: Final = 150.0
END_BY: Final = 170.0
#: Seconds that a part has to end by itself.
GRACE: Final = 5.0
#: Seconds between two looks.
LOOK_EVERY: Final = 0.1
#: Seconds that Flower may lag behind.
FLOWER_LAG: Final = 30.0


@dataclass(slots=True)
class Ending:
    """How the demo ended: well, unless something is wrong."""

    wrong: list[str] = field(default_factory=list)
    #: The ends of the logs that may say why, by part.
    logs: dict[str, str] = field(default_factory=dict)


def run_demo() -> int:
    """Play the demo; the exit code is 0 only if everything held."""
    try:
        ending = asyncio.run(_play(Screen()))
    except asyncio.CancelledError:
        return 130
    for sentence in ending.wrong:
        sys.stderr.write(f"demo: {sentence}\n")
    for part, lines in ending.logs.items():
        sys.stderr.write(f"\nThe end of {part}'s log:\n{lines}\n")
    if ending.wrong:
        return 1
    sys.stdout.write(f"{LAST_LINE}\n")
    return 0


async def _play(screen: Screen) -> Ending:
    began = time.monotonic()
    screen.say("Darkroom, every part real but RunComfy itself, on free ports, for one generation.")
    with tempfile.TemporaryDirectory(prefix="darkroom-demo-") as path:
        folder = Folder(Path(path))
        folder.make()
        try:
            async with AsyncExitStack() as ending:
                stack = await _start(screen, folder, ending, began)
                pids = stack.supervisor.pids
                result = await _watch(stack, folder, screen, until=began + FINISH_BY)
                ending.enter_context(screen.busy("ending everything"))
        except CannotRun as error:
            return _could_not_start(error, folder)
    left = [part for part, pid in pids.items() if _is_alive(pid)]
    result.wrong.extend(f"{part} is still running" for part in left)
    return result


async def _start(
    screen: Screen, folder: Folder, ending: AsyncExitStack, began: float
) -> LocalStack:
    """The stack, ready; ``ending`` ends it.

    Raises:
        CannotRun: not everything was ready in time.
    """
    wishes = Wishes(
        # The defaults, whatever the environment says: nothing real may be met here.
        LocalSettings.model_construct(),
        demo_environment(inherited_environment()),
        out_of_the_way(list(parts.LISTENING)),
        grace=GRACE,
    )
    with screen.busy("starting", steps=len(parts.LISTENING) + wishes.workers):
        try:
            async with asyncio.timeout(START_BY):
                stack = await ending.enter_async_context(local_stack(wishes, folder, screen))
        except TimeoutError:
            ready = ", ".join(screen.ready_parts) or "nothing"
            raise CannotRun(f"after {START_BY:g} s only {ready} was ready") from None
    loop = asyncio.get_running_loop()
    hard_end = loop.call_later(began + END_BY - time.monotonic(), stack.supervisor.kill)
    ending.callback(hard_end.cancel)
    names = ", ".join(part.name for part in stack.supervisor.parts)
    screen.say(f"Ready after {time.monotonic() - began:.1f} s: {names}.")
    return stack


def _could_not_start(error: CannotRun, folder: Folder) -> Ending:
    logs = folder.logs()
    if isinstance(error, PartCannotStart):
        logs = [folder.log_of(error.part)]
    return Ending([str(error)], {log.stem: tail(log) for log in logs})


async def _watch(stack: LocalStack, folder: Folder, screen: Screen, *, until: float) -> Ending:
    """Submit the example, show what happens to it, and judge it."""
    async with DemoClient(stack) as client:
        try:
            facts = await _happen(client, screen, until=until)
        except httpx.HTTPError as error:
            # A part did not answer a plain question.
            logs = {log.stem: tail(log) for log in folder.logs()}
            return Ending([f"{type(error).__name__}: {error}"], logs)
    screen.summarise(facts, timings(facts))
    broken = [check for check in judge(facts) if not check.held]
    return Ending(
        [f"not so: {check.promise}; {check.found}" for check in broken],
        {check.part: tail(folder.log_of(check.part)) for check in broken},
    )


async def _happen(client: DemoClient, screen: Screen, *, until: float) -> Facts:
    generation_id = await client.submit()
    screen.say(f"Submitted {MODEL_ID} as {generation_id}.")
    screen.say()
    with screen.busy("submitted", steps=len(Step)):
        await _follow(client, generation_id, screen, until=until)
    record = await client.record(generation_id)
    url = output_url(record)
    return Facts(
        record=record,
        result=await client.result(generation_id),
        callbacks=await client.callbacks(),
        tasks=await _seen_by_flower(client, record, until=until),
        ledger=await client.ledger(),
        output=await client.output(url) if url else None,
    )


async def _follow(client: DemoClient, generation_id: str, screen: Screen, *, until: float) -> None:
    """Show every change until the callback is delivered, or time is up."""
    story = Story()
    while time.monotonic() < until:
        callbacks = await client.callbacks()
        record = await client.record(generation_id)
        for entry in story.observe(record, callbacks, datetime.now(UTC)):
            screen.tell(entry)
        deliveries = record["deliveries"]
        if deliveries and all(delivery["status"] != "pending" for delivery in deliveries):
            return
        await asyncio.sleep(LOOK_EVERY)


async def _seen_by_flower(client: DemoClient, record: Json, *, until: float) -> list[Json]:
    """Flower's tasks of a generation, once it has them all: events take their time."""
    ids = [record["id"], *(delivery["id"] for delivery in record["deliveries"])]
    until = min(until, time.monotonic() + FLOWER_LAG)
    while True:
        tasks = await client.tasks(ids)
        if has_all_tasks(tasks) or time.monotonic() > until:
            return tasks
        await asyncio.sleep(LOOK_EVERY)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
