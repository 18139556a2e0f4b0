"""A worker that a test plays by hand: it claims, takes and settles as the real one does."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from generations.due import Claim, DueIndex
from generations.lifecycle import Status
from generations.model import ErrorCode, Generation
from generations.steps import Due, Lane, Step, fail, finish
from generations.store import GenerationStore
from tests.waiting import eventually

LEASE: Final = timedelta(seconds=60)
#: So far off that only a cancel makes it due again within a test.
LATER: Final = Due(Lane.POLLS, timedelta(hours=1))

OUTPUT: Final = {"video": "https://files.runcomfy.net/1.mp4"}

#: How a generation comes to a status from the one before it in its usual way.
MOVES: Final[Mapping[Status, Step]] = {
    Status.SUBMITTING: Step(
        to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS, LEASE), add={"submissions": 1}
    ),
    Status.IN_QUEUE: Step(
        to=Status.IN_QUEUE,
        due=LATER,
        set={"runcomfy_request_id": "rc-1", "queue_position": 4},
    ),
    Status.IN_PROGRESS: Step(
        to=Status.IN_PROGRESS, due=LATER, set={"queue_position": None}, add={"polls": 1}
    ),
}
UNFINISHED: Final = (Status.SUBMITTING, Status.IN_QUEUE, Status.IN_PROGRESS)


class PlayedWorker:
    """Moves records as a test asks it to."""

    lease = LEASE

    def __init__(self, redis: Redis) -> None:
        keep = timedelta(days=7)
        self.due = DueIndex(redis, keep=keep)
        self._store = GenerationStore(redis, deadline=timedelta(hours=24), keep=keep)

    async def take(self, lane: Lane) -> tuple[Claim, Generation]:
        """The next generation that comes to be due in a lane."""
        (claim,) = await eventually(
            lambda: self.due.claim({lane: 1}, lease=LEASE), f"something is due in {lane}"
        )
        (taken,) = await self.due.take_generations([claim], lease=LEASE)
        return taken

    async def nothing_is_due(self) -> bool:
        """Whether no lane has anything due now."""
        return not await self.due.claim(dict.fromkeys(Lane, 10), lease=LEASE)

    async def bring_to(self, status: Status) -> None:
        """Move the one queued generation to a status, along the usual way."""
        claim, generation = await self.take(Lane.SUBMISSIONS)
        for passed in UNFINISHED:
            if generation.status is status:
                return
            claim = await self._settle(claim, MOVES[passed])
            generation = replace(generation, status=passed)
        if generation.status is not status:
            await self._settle(claim, last_step(generation, status))

    async def begin_submission(self) -> Claim:
        """Write the intent to submit, and nothing after it."""
        claim, _ = await self.take(Lane.SUBMISSIONS)
        return await self._settle(claim, MOVES[Status.SUBMITTING])

    async def move(self, held: Claim, to: Status) -> Claim:
        """Go on to an unfinished status."""
        return await self._settle(held, MOVES[to])

    async def end(self, held: Claim, generation: Generation, status: Status) -> None:
        """End a generation in a status."""
        await self._settle(held, last_step(generation, status))

    async def end_submission(self, held: Claim, status: Status) -> None:
        """Write that it was accepted (IN_QUEUE) or never sent (QUEUED)."""
        not_sent = Step(to=Status.QUEUED, due=Due(Lane.SUBMISSIONS, LEASE))
        await self._settle(held, MOVES.get(status, not_sent))

    async def cancel_is_asked_for(self, generation_id: str) -> None:
        """Wait until the record holds the wish."""

        async def asked_for() -> bool:
            return (await self._store.find(generation_id)).is_cancel_pending

        await eventually(asked_for, "a cancel is asked for")

    async def answer_cancel(self, word: str) -> None:
        """Wait for the wish to cancel, and settle RunComfy's word on it."""
        claim, generation = await self.take(Lane.POLLS)
        assert generation.is_cancel_pending
        if word == "cancelled":
            await self._settle(claim, finish(generation, Status.CANCELLED, cancel_outcome=word))
        else:
            await self._settle(claim, Step(due=LATER, set={"cancel_outcome": word}))

    async def _settle(self, claim: Claim, step: Step) -> Claim:
        settled = await self.due.settle(claim, step)
        assert settled is not None
        return replace(settled, lane=step.due.lane) if step.due else settled


def last_step(generation: Generation, status: Status) -> Step:
    """The step that ends a generation in a status."""
    if status is Status.FAILED:
        return fail(generation, ErrorCode.GENERATION_FAILED, "The model could not do it.")
    facts = {"output": OUTPUT, "cost": 2.85} if status is Status.SUCCEEDED else {}
    return finish(generation, status, **facts)
