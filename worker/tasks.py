"""The three tasks. Each takes claims (ids and fences) and nothing else, and returns counts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from generations.due import Claim
from generations.errors import StoreUnavailable
from generations.steps import Lane
from worker.app import celery
from worker.claims import report, work_through
from worker.clients import Clients
from worker.delivery import attempt_once
from worker.dispatcher import LARGEST_CHUNK, TASK_NAMES
from worker.loop import process_loop
from worker.polling import count_polls, poll_once
from worker.submission import submit_once
from worker.turns import addressed

#: ``[id, fence]`` pairs, as JSON brings them.
Pairs = Sequence[tuple[str, int]]
#: How long a task waits for endpoints to answer.
PATIENCE: Final = timedelta(milliseconds=250)
#: Deliveries whose endpoints have no room now, or do not work.
WAITING: Final = "waiting for their endpoints"
#: No bug, so without a traceback: the leases bring back what a task could not take.
EXPECTED: Final = (StoreUnavailable,)
#: Characters of a result that Flower shows: room for the ids of the largest chunk.
LONGEST_RESULT: Final = 40 * LARGEST_CHUNK


@celery.task(name=TASK_NAMES[Lane.SUBMISSIONS], throws=EXPECTED)
def submit(pairs: Pairs) -> str:
    """Hand queued generations to RunComfy."""
    return process_loop.get().run(lambda clients: _submit(pairs, clients))


@celery.task(name=TASK_NAMES[Lane.POLLS], throws=EXPECTED)
def poll(pairs: Pairs) -> str:
    """Look at RunComfy for generations that it has."""
    return process_loop.get().run(lambda clients: _poll(pairs, clients))


@celery.task(name=TASK_NAMES[Lane.DELIVERIES], throws=EXPECTED, resultrepr_maxsize=LONGEST_RESULT)
def deliver(pairs: Pairs) -> str:
    """Attempt deliveries."""
    return process_loop.get().run(lambda clients: _deliver(pairs, clients))


async def _submit(pairs: Pairs, clients: Clients) -> str:
    claims, lease = _claims(Lane.SUBMISSIONS, pairs), clients.leases.lease(Lane.SUBMISSIONS)
    taken = await clients.due.take_generations(claims, lease=lease)
    counts = await work_through(taken, submit_once, clients)
    await report(counts, clients)
    return _said("submitted", counts)


async def _poll(pairs: Pairs, clients: Clients) -> str:
    claims, lease = _claims(Lane.POLLS, pairs), clients.leases.lease(Lane.POLLS)
    taken = await clients.due.take_generations(claims, lease=lease)
    counts = await work_through(taken, poll_once, clients)
    count_polls(counts)
    await report(counts, clients)
    return _said("polled", counts)


async def _deliver(pairs: Pairs, clients: Clients) -> str:
    claims, lease = _claims(Lane.DELIVERIES, pairs), clients.leases.lease(Lane.DELIVERIES)
    taken = await addressed(await clients.due.take_deliveries(claims, lease=lease), clients)
    entered = await clients.health.enter(taken)
    counts = await work_through(entered, attempt_once, clients, patience=PATIENCE)
    counts[WAITING] += len(taken) - len(entered)
    return _said("attempted", +counts) + _of(delivery.generation_id for _, delivery in taken)


def _claims(lane: Lane, pairs: Pairs) -> list[Claim]:
    return [Claim(lane, record_id, fence) for record_id, fence in pairs]


def _said(done: str, counts: Counter[str]) -> str:
    """For example "polled 50: 47 waiting, 3 succeeded"."""
    parts = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    return f"{done} {counts.total()}: {parts}" if parts else f"{done} 0"


def _of(generation_ids: Iterable[str]) -> str:
    """Whose deliveries they were: their claims name the deliveries alone."""
    found = " ".join(dict.fromkeys(generation_ids))
    return f" (of {found})" if found else ""
