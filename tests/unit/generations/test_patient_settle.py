"""A patient settle outlasts an outage, and asks for one and the same step all the while."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from generations.connection import connect
from generations.due import Claim, DueIndex
from generations.errors import StoreUnavailable
from generations.lifecycle import Status
from generations.steps import Due, Lane, Step

CLAIM = Claim(Lane.SUBMISSIONS, "gen_1", fence=7)
STEP = Step(to=Status.IN_QUEUE, due=Due(Lane.POLLS))


class OftenAway(DueIndex):
    """A due index whose server is away for so many calls, and nothing else."""

    def __init__(self, *, away: int) -> None:
        super().__init__(connect("redis://127.0.0.1:1/0"), keep=timedelta(hours=1))
        self.guards: list[Mapping[str, Any]] = []
        self._away = away

    async def apply_timed(
        self,
        record_id: str,  # noqa: ARG002  # The base class's.
        lane: Lane,  # noqa: ARG002
        step: Step,  # noqa: ARG002
        guard: Mapping[str, Any],
        *,
        origin: str,  # noqa: ARG002
    ) -> tuple[str, str, int]:
        self.guards.append(guard)
        if len(self.guards) <= self._away:
            raise StoreUnavailable
        return "settled", str(Status.IN_QUEUE), 0


async def test_a_patient_settle_goes_on_until_the_store_is_back() -> None:
    due = OftenAway(away=2)

    settled = await due.settle(CLAIM, STEP, is_patient=True)

    assert settled is not None
    assert (settled.id, settled.lane) == (CLAIM.id, Lane.POLLS)
    assert str(settled.fence) == due.guards[0]["next_fence"]


async def test_every_try_asks_for_the_same_step_so_that_one_that_was_made_is_recognised() -> None:
    due = OftenAway(away=2)

    await due.settle(CLAIM, STEP, is_patient=True)

    assert len(due.guards) == 3
    assert due.guards[0] == due.guards[1] == due.guards[2]


async def test_a_patient_settle_ends_when_its_caller_has_waited_long_enough() -> None:
    due = OftenAway(away=1_000_000)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await due.settle(CLAIM, STEP, is_patient=True)


async def test_any_other_settle_says_at_once_that_the_store_is_away() -> None:
    due = OftenAway(away=1)

    with pytest.raises(StoreUnavailable):
        await due.settle(CLAIM, STEP)
    assert len(due.guards) == 1
