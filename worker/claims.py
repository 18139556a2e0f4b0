"""What the three lanes do alike: run the claims of a chunk side by side, and settle each."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from generations.due import Claim, Unsettled
from generations.errors import DarkroomError, StoreUnavailable
from generations.logs import logger, note_subject
from generations.model import Delivery, Generation
from generations.steps import Due, Step
from generations.trace import ids_of
from worker.calls import Stopping
from worker.clients import Clients

log = logger(__name__)

#: Left as it is until the lease ends.
LEFT: Final = "left to its lease"
#: RunComfy gave no usable answer.
UNANSWERED: Final = "unanswered"
#: RunComfy asked for fewer requests, which says nothing about how well it is.
THROTTLED: Final = "throttled"
#: Written without asking RunComfy anything.
UNASKED: Final = "runcomfy not asked"
#: Stopped half-way, because the worker stops; due again at once.
GIVEN_BACK: Final = "given back"
#: The other side takes its time; it is settled when it answers.
UNDER_WAY: Final = "still under way"

_R = TypeVar("_R", Generation, Delivery)
Once = Callable[[Claim, _R, Clients], Awaitable[str]]


async def settle(claim: Claim, step: Step, clients: Clients) -> str:
    """Write a step, and return the word for it: the status moved to, or "waiting".

    What RunComfy or an endpoint answered is not thrown away because Redis is away for a
    moment: it is written as soon as Redis is back, within the claim's budget.
    """
    if await clients.due.settle(claim, step, is_patient=True) is None:
        log.warning("claim.lost")
        return Unsettled.LOST
    if step.to is None:
        return "waiting"
    log.info("record.moved", status=step.to)
    return str(step.to)


async def work_through(
    taken: Iterable[tuple[Claim, _R]],
    once: Once[_R],
    clients: Clients,
    *,
    patience: timedelta | None = None,
) -> Counter[str]:
    """Act on every claim at once, each settled as it completes; how many came to what.

    What takes longer than the patience goes on by itself, so that those who wait for others
    keep none of the threads that chunks are worked through in.
    """
    work = [asyncio.create_task(_guarded(claim, record, once, clients)) for claim, record in taken]
    done = await clients.lingering.wait(work, patience=patience)
    counts = Counter(task.result() for task in done)
    counts[UNDER_WAY] = len(work) - len(done)
    return +counts


async def report(counts: Counter[str], clients: Clients) -> None:
    """Tell the breaker that all workers share how a chunk's calls to RunComfy went."""
    silent = counts[UNANSWERED]
    uncalled = sum(counts[word] for word in (*Unsettled, LEFT, GIVEN_BACK, UNASKED, THROTTLED))
    answered = counts.total() - silent - uncalled
    await clients.due.report(answered=answered > 0, failures=silent)


async def act(claim: Claim, record: _R, once: Once[_R], clients: Clients) -> str:
    """Act on one claim within its budget; whatever else breaks the code is raised."""
    budget = clients.leases.budgets[claim.lane]
    try:
        async with asyncio.timeout(budget.total_seconds()):
            return await once(claim, record, clients)
    except Stopping:
        # Where that cannot be written either, the lease brings it back.
        with suppress(StoreUnavailable):
            await clients.due.settle(claim, Step(due=Due(claim.lane)))
        return GIVEN_BACK
    except (DarkroomError, TimeoutError) as exc:
        # The lease brings it back; nothing of it is lost.
        log.warning("claim.left", reason=type(exc).__name__)
        return LEFT


def about(claim: Claim, record: Generation | Delivery) -> Mapping[str, str]:
    """What each line that is logged about it says."""
    if isinstance(record, Delivery):
        ids = {"delivery_id": record.id, "generation_id": record.generation_id}
    else:
        ids = {"generation_id": record.id, **ids_of(record.trace)}
    return {"lane": str(claim.lane), "origin": record.origin, **ids}


async def _guarded(claim: Claim, record: _R, once: Once[_R], clients: Clients) -> str:
    note_subject(partial(about, claim, record))
    try:
        return await act(claim, record, once, clients)
    except Exception:
        # The edge: one record that breaks the code must not take its chunk with it.
        log.exception("claim.broken")
        return LEFT
