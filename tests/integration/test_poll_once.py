"""One poll, from the claim to the settle: a real store, and a RunComfy of raw sockets."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from generations.due import Claim, due_key
from generations.durations import Ran, read_ran
from generations.durations_store import DurationStore
from generations.lifecycle import Status
from generations.model import Generation
from generations.settings import WorkerSettings
from generations.steps import Lane
from tests.conftest import RedisServer
from tests.integration.claiming import LONG, accept, bring_to, due_times, hold
from tests.integration.played_runcomfy import PlayedRunComfy
from tests.integration.raw_server import close, hang, serving
from worker.clients import Clients
from worker.polling import poll_once

#: Clients load certificates, which takes its time: those of the module serve all its tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runcomfy() -> AsyncIterator[PlayedRunComfy]:
    played = PlayedRunComfy()
    async with serving(played) as played.server:
        yield played


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients_of_all(
    runcomfy: PlayedRunComfy, valkey_server: RedisServer
) -> AsyncIterator[Clients]:
    assert runcomfy.server is not None
    settings = WorkerSettings.model_validate(
        {
            "redis_url": valkey_server.url(),
            "runcomfy_api_token": "rc-token",
            "runcomfy_model_api_base": runcomfy.server.url,
            "poll_timeout": 0.5,
        }
    )
    opened = await Clients.open(settings)
    yield opened
    await opened.close()


@pytest.fixture
def clients(clients_of_all: Clients, runcomfy: PlayedRunComfy, redis_url: str) -> Clients:
    """A worker's clients; nothing is on record, and RunComfy has no answer to anything."""
    assert redis_url
    assert runcomfy.server is not None
    runcomfy.answers, runcomfy.otherwise = {}, close
    runcomfy.server.begin(runcomfy)
    return clients_of_all


async def polled(clients: Clients, *, cancel: bool) -> Generation:
    """A generation in RunComfy's queue after one poll, cancelled before it or not."""
    store = clients.store
    generation = await accept(store)
    await bring_to(clients.due, Status.IN_QUEUE)
    if cancel:
        await store.cancel(await store.find(generation.id))
    held, found = await hold(clients.due, Lane.POLLS)
    await poll_once(held, found, clients)
    return await store.find(generation.id)


async def test_a_page_in_front_of_runcomfy_is_no_word_of_its_own(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer({"status": ("404 Not Found", {"message": "no healthy upstream"})})
    found = await polled(clients, cancel=False)
    assert (found.failures, found.misses) == (1, 0)
    assert found.status is Status.IN_QUEUE


async def test_that_runcomfy_does_not_know_it_is_noted_with_its_instant(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer({"status": ("404 Not Found", {"error_code": 404001})})
    found = await polled(clients, cancel=False)
    assert (found.failures, found.misses) == (0, 1)
    assert found.missing_since is not None
    assert found.created_at <= found.missing_since <= found.created_at + LONG


async def test_a_worker_whose_clock_is_ahead_ends_nothing_before_its_time(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer(WAITING)
    generation = await accept(clients.store, deadline=timedelta(milliseconds=1))
    await bring_to(clients.due, Status.IN_QUEUE)
    held, found = await hold(clients.due, Lane.POLLS)
    assert held.taken_at > found.deadline
    # On Redis's clock the deadline has not come; on this machine's it has.
    await poll_once(replace(held, taken_at=found.created_at), found, clients)
    assert (await clients.store.find(generation.id)).status is Status.IN_QUEUE


async def nothing_is_due(clients: Clients) -> bool:
    return await clients.due.claim({Lane.POLLS: 1}, lease=LONG) == []


COMPLETED: dict[str, tuple[str, dict[str, Any]]] = {
    "status": ("200 OK", {"status": "completed"}),
    "result": ("200 OK", {"status": "succeeded", "output": {"video": "https://a/1.mp4"}}),
}
WAITING = {"status": ("200 OK", {"status": "in_queue", "queue_position": 4})}


async def test_a_poll_that_sees_the_end_settles_it(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer(COMPLETED)
    found = await polled(clients, cancel=False)
    assert found.status is Status.SUCCEEDED
    assert found.output == {"video": "https://a/1.mp4"}
    assert found.polls == 1


async def test_a_poll_that_sees_a_queue_comes_back_later(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer(WAITING)
    found = await polled(clients, cancel=False)
    assert (found.status, found.queue_position, found.polls) == (Status.IN_QUEUE, 4, 1)
    assert await nothing_is_due(clients)


async def test_a_poll_without_an_answer_in_time_is_a_failure_and_comes_back_later(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.otherwise = hang
    found = await polled(clients, cancel=False)
    assert (found.failures, found.polls) == (1, 0)
    assert found.status is Status.IN_QUEUE
    assert await nothing_is_due(clients)


async def test_a_cancel_is_asked_for_once_and_its_word_kept(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer({"cancel": ("200 OK", {"outcome": "cancelled"})})
    found = await polled(clients, cancel=True)
    assert (found.status, found.cancel_outcome) == (Status.CANCELLED, "cancelled")
    assert runcomfy.asked == ["/requests/rc-1/cancel"]


@pytest.mark.parametrize("status", ["500 Internal", "403 Forbidden", "302 Found"])
async def test_a_cancel_that_fails_for_ever_does_not_hide_the_end(
    status: str, runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer({"cancel": (status, {"message": "No."}), **COMPLETED})
    found = await polled(clients, cancel=True)
    assert found.status is Status.SUCCEEDED
    assert found.cancel_outcome is None


@pytest.mark.parametrize("answers", [{}, WAITING, {"cancel": ("429 Too Many", {}), **WAITING}])
async def test_a_cancel_without_an_answer_is_asked_for_again_but_not_at_once(
    answers: dict[str, tuple[str, Any]],
    runcomfy: PlayedRunComfy,
    clients: Clients,
) -> None:
    runcomfy.will_answer(answers)
    found = await polled(clients, cancel=True)
    assert found.is_cancel_pending
    assert await nothing_is_due(clients)


async def test_a_cost_that_comes_late_is_asked_for_and_kept(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer(COMPLETED)
    ended = await polled(clients, cancel=False)
    assert ended.cost is None
    assert await nothing_is_due(clients)
    held, found = await due_again(clients, ended)
    await poll_once(held, found, clients)
    assert (await clients.store.find(ended.id)).cost is None

    ok, result = COMPLETED["result"]
    runcomfy.will_answer({"result": (ok, {**result, "cost": 2.85})})
    held, found = await due_again(clients, ended)
    await poll_once(held, found, clients)

    known = await clients.store.find(ended.id)
    assert known.cost == 2.85
    assert (known.status, known.timeline, known.polls) == (ended.status, ended.timeline, 1)
    assert await due_times(clients.redis, ended.id) == {}


async def due_again(clients: Clients, generation: Generation) -> tuple[Claim, Generation]:
    """The next look at a generation, made due now."""
    times = await due_times(clients.redis, generation.id)
    assert list(times) == [Lane.POLLS]
    await clients.redis.zadd(due_key(Lane.POLLS), {generation.id: 0})
    return await hold(clients.due, Lane.POLLS)


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal"])
async def test_a_cost_that_nobody_tells_is_asked_for_again(
    status: str, runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    runcomfy.will_answer(COMPLETED)
    ended = await polled(clients, cancel=False)
    runcomfy.will_answer({"result": (status, {"error_code": 404001})})
    held, found = await due_again(clients, ended)
    await poll_once(held, found, clients)
    assert (await clients.store.find(ended.id)).status is Status.SUCCEEDED
    assert list(await due_times(clients.redis, ended.id)) == [Lane.POLLS]
    assert await nothing_is_due(clients)


async def ended(clients: Clients, runcomfy: PlayedRunComfy, *, waits: int) -> list[Ran]:
    """What is kept of its model after a generation was polled so often until it ended."""
    generation = await accept(clients.store)
    await bring_to(clients.due, Status.IN_QUEUE)
    runcomfy.will_answer(WAITING)
    for _ in range(waits):
        held, found = await hold_next(clients, generation.id)
        await poll_once(held, found, clients)
    runcomfy.will_answer(
        {
            "status": ("200 OK", {"status": "completed"}),
            "result": ("200 OK", {"status": "succeeded", "output": {"video": "https://a/1"}}),
        }
    )
    held, found = await hold_next(clients, generation.id)
    assert await poll_once(held, found, clients) == Status.SUCCEEDED
    _, of_model = await DurationStore(clients.redis).read(generation.model_id, "")
    return read_ran(of_model)


async def hold_next(clients: Clients, generation_id: str) -> tuple[Claim, Generation]:
    """The generation's next poll, made due now."""
    await clients.redis.zadd(due_key(Lane.POLLS), {generation_id: 0})
    return await hold(clients.due, Lane.POLLS)


@pytest.mark.parametrize("waits", [0, 2])
async def test_its_model_is_known_by_how_long_it_took(
    runcomfy: PlayedRunComfy, clients: Clients, waits: int
) -> None:
    assert len(await ended(clients, runcomfy, waits=waits)) == 1


async def test_a_claim_that_was_lost_teaches_nothing(
    runcomfy: PlayedRunComfy, clients: Clients
) -> None:
    generation = await accept(clients.store)
    await bring_to(clients.due, Status.IN_QUEUE)
    runcomfy.will_answer({"status": ("200 OK", {"status": "failed"}), **FAILED_RESULT})
    held, found = await hold(clients.due, Lane.POLLS)
    late = replace(held, fence=held.fence - 1)
    await poll_once(late, found, clients)
    _, of_model = await DurationStore(clients.redis).read(generation.model_id, "")
    assert of_model == ""


FAILED_RESULT: dict[str, tuple[str, dict[str, Any]]] = {
    "result": ("200 OK", {"status": "failed", "error": "Out of memory"})
}
