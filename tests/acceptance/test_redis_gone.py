"""Redis away for ten seconds under load: its callers are told so, and then served again."""

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final

import httpx
import pytest

from tests.acceptance.following import HANG, WAIT, Crowd
from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import PATIENCE, eventually
from tests.waiting import eventually as soon

OUTAGE: Final = 10.0
#: Seconds that the gateway lets Redis take, and as many again for a busy machine.
LONGEST: Final = 4.5 + 4.5
KINDS: Final = {"submit", "read", "wait"}


def kill(stack: Stack) -> None:
    stack.valkey.kill()


def start(stack: Stack) -> None:
    stack.valkey.start()
    stack.valkey.wait_until_ready()


def freeze(stack: Stack) -> None:
    os.kill(stack.valkey.pid, signal.SIGSTOP)


def thaw(stack: Stack) -> None:
    os.kill(stack.valkey.pid, signal.SIGCONT)


Act = Callable[[Stack], None]


@pytest.mark.parametrize(
    ("leave", "come_back"), [(kill, start), (freeze, thaw)], ids=["killed", "frozen"]
)
def test_nobody_hears_more_than_come_again_and_then_all_is_served(
    breakable: Stack, brave: OriginClient, leave: Act, come_back: Act
) -> None:
    breakable.runcomfy.hold(progress=True)
    held = [brave.submit(an_input()) for _ in range(3)]
    for generation_id in held:
        brave.wait_until(generation_id, "in_progress")
    gateway = breakable.gateway.pid

    crowd = asyncio.run(
        live_through(
            breakable, brave, held, partial(leave, breakable), partial(come_back, breakable)
        )
    )

    assert [a for a in crowd.answers if a.status != 200 and not a.is_refusal] == []
    assert {answer.kind for answer in crowd.answers if answer.is_refusal} >= KINDS
    for answer in crowd.answers:
        assert answer.seconds < LONGEST + (WAIT if answer.kind == "wait" else 0), answer
    for seen in crowd.seen:
        assert [event.id for event in seen] == [str(n) for n in range(1, len(seen) + 1)]
        assert seen[-1].name == "generation.succeeded"
    for generation_id in crowd.accepted:
        assert_well_ended(brave.wait_until_finished(generation_id, seconds=90))
    assert brave.wait_until_finished(brave.submit(an_input()))["status"] == "succeeded"
    assert (breakable.gateway.is_running, breakable.gateway.pid) == (True, gateway)
    assert not breakable.gateway.has_logged("request.broke")
    assert "Traceback" not in breakable.gateway.text()


def assert_well_ended(record: Body) -> None:
    """It succeeded, or Redis went just when RunComfy's answer to its submission was on the way."""
    if record["status"] != "succeeded":
        assert record["error"]["code"] == "submission_uncertain", record


async def live_through(
    stack: Stack,
    origin: OriginClient,
    held: list[str],
    leave: Callable[[], None],
    come_back: Callable[[], None],
) -> Crowd:
    """The outage with everybody at it: what they saw until all had what they came for."""
    headers = {"Authorization": f"Bearer {origin.api_key}"}
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(
            base_url=stack.gateway_url,
            headers=headers,
            timeout=HANG,
            limits=limits,
            trust_env=False,
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        crowd = Crowd(http)
        for generation_id in held:
            group.create_task(crowd.submit_on_and_on())
            group.create_task(crowd.read_on_and_on(generation_id))
            group.create_task(crowd.read_on_and_on(generation_id, wait=WAIT))
            for _ in range(4):
                group.create_task(crowd.follow_to_the_end(generation_id))
        await everybody_is_served(crowd)
        await asyncio.to_thread(leave)
        await asyncio.sleep(OUTAGE)  # As long as the outage is to be.
        await asyncio.to_thread(come_back)
        await everybody_is_served(crowd)
        crowd.is_stopping = True
        await asyncio.to_thread(let_end, stack, origin, held)
    return crowd


async def everybody_is_served(crowd: Crowd) -> None:
    """Come back when, from now on, each kind of call was answered with success."""
    since = len(crowd.answers)

    async def served() -> bool:
        new = crowd.answers[since:]
        return {answer.kind for answer in new if answer.status == 200} >= KINDS

    await soon(served, "everybody is served", seconds=PATIENCE)


def let_end(stack: Stack, origin: OriginClient, held: list[str]) -> None:
    """End what is held, with a worker that a supervisor would start again."""
    stack.runcomfy.reset()

    def ended() -> bool:
        stack.revive_workers()
        return all(origin.record(one)["status"] == "succeeded" for one in held)

    eventually(ended, "what was held has ended", seconds=60)
