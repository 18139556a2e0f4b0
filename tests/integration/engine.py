"""The engine under test, as gateways and workers use it.

Every method does one thing to the real scripts on a real server, and compares what came of it
with what must.
"""

from dataclasses import replace
from typing import Any, Final

import pytest

from generations.connection import PREFIX, key
from generations.due import AFTER_DEATH, POISON_DEATHS, SUSPECT_TAKES, Claim, due_key
from generations.errors import IdempotencyConflict
from generations.ids import DELIVERY, GENERATION
from generations.lifecycle import AnyStatus, DeliveryStatus, Status, allowed_before, is_finished
from generations.model import Generation, NewGeneration
from generations.steps import Due, Lane, Step
from tests.integration.claiming import LONG
from tests.integration.engine_known import Asked, Known
from tests.integration.engine_work import Answer, Held, decide
from tests.integration.engine_world import World, turn_of

LONG_MS: Final = round(LONG.total_seconds() * 1000)
ORIGIN: Final = "studio"


class Engine(Known):
    """What gateways and workers do."""

    async def accept(self, new: NewGeneration, idempotency_key: str | None) -> str | None:
        """Accept; the id of what is new."""
        used = self._keys.get(idempotency_key or "")
        if used is None:
            accepted = await self._store.accept(new, idempotency_key=idempotency_key)
            self._new[new.id], self._accepted[new.id] = new, accepted
            self._live[new.id] = "1"
            if idempotency_key:
                self._keys[idempotency_key] = new
            return new.id
        if replace(new, id=used.id) == used:
            assert (await self._store.accept(new, idempotency_key=idempotency_key)).id == used.id
        else:
            with pytest.raises(IdempotencyConflict):
                await self._store.accept(new, idempotency_key=idempotency_key)
        await self._nothing_changed()
        return None

    async def accept_again(self, generation_id: str) -> None:
        """The answer was lost, so the gateway asks again."""
        again = await self._store.accept(self._new[generation_id])
        assert again == self._accepted[generation_id]
        await self._nothing_changed()

    async def claim(self, lane: Lane) -> list[Claim]:
        """Claim all that is due in a lane, and next in line, in the order of acceptance."""
        claims = await self._due.claim({lane: 100}, lease=LONG)
        due = {i for i, at in self.world.lane(lane).items() if at <= self.world.now}
        if lane is Lane.SUBMISSIONS:
            due = self._next_in_line(due)
        assert {claim.id for claim in claims} == due
        self._lost -= due
        after = await World.read(self._redis)
        for claim in claims:
            self._hold(claim)
            assert self.world.now + LONG_MS <= after.lane(lane)[claim.id] <= after.now + LONG_MS
        return sorted(claims, key=lambda claim: self._age(claim.id))

    def _next_in_line(self, due: set[str]) -> set[str]:
        """What needs no call, and of the others, now all in line, as many as have room."""
        ended = {i for i in due if self._needs_no_call(i)}
        waiting = (self.world.line.keys() | due) - ended
        room = self._room + len(self.world.has_room & waiting)
        served = sorted(waiting, key=self._turn)
        return ended | set(served if room >= len(served) else served[: max(int(room), 0)])

    def _needs_no_call(self, generation_id: str) -> bool:
        record = self.world.record(generation_id)
        return record["status"] == "submitting" or bool(record.get("cancel_requested_at"))

    def _turn(self, generation_id: str) -> tuple[int, str]:
        record = self.world.record(generation_id)
        return turn_of(record), generation_id

    async def take(self, claim: Claim) -> Held | None:
        """Make a claim one's own; None where it is lost."""
        take: Any = self._due.take_generations
        if claim.lane is Lane.DELIVERIES:
            take = self._due.take_deliveries
        taken = await take([claim], lease=LONG)
        if not self._is_live(claim):
            assert taken == []
            await self._nothing_changed()
            return None
        self._takes[claim.id] = max(
            self._takes[claim.id], min(self._takes[claim.id] + 1, SUSPECT_TAKES)
        )
        ((mine, record),) = taken
        self._hold(mine)
        return Held(mine, record, claim.fence)

    async def die(self, held: Held) -> None:
        """Whoever holds it alone dies of it, and somebody sees that."""
        claim = held.claim
        deaths = claim.takes + 1 - SUSPECT_TAKES
        await self._due.note_death(claim)
        if not self._is_live(claim):
            await self._nothing_changed()
            return
        after = await World.read(self._redis)
        record = after.record(claim.id)
        self._live[claim.id] = record["fence"]
        self._lost.discard(claim.id)
        if deaths >= POISON_DEATHS:
            assert record["status"] in {"failed", "exhausted"}
            self._takes[claim.id] = 0
            return
        self._takes[claim.id] += 1
        if not self._is_wish_known(claim.id):
            wait = round(AFTER_DEATH.total_seconds() * 1000)
            at = after.lane(claim.lane)[claim.id]
            assert self.world.now + wait <= at <= after.now + wait

    async def pick_up(self) -> list[Held]:
        """Claim and take all that is due, in every lane."""
        held = []
        for lane in Lane:
            for claim in await self.claim(lane):
                await self.check()
                held.append(await self.take(claim))
            await self.check()
        return [taken for taken in held if taken is not None]

    async def take_again(self, held: Held) -> None:
        """The answer to a take was lost, so the very same is asked for again."""
        claim = held.claim
        _, (found,), _ = await self._take_script(
            keys=[due_key(claim.lane), key(claim.id)],
            args=[
                *(60_000, claim.fence, SUSPECT_TAKES),
                *("submission", "", PREFIX),
                *(claim.id, held.taken_by),
            ],
        )
        assert bool(found) == self._is_live(claim)
        if not found:
            await self._nothing_changed()
            return
        world = await World.read(self._redis)
        for prefix in (GENERATION, DELIVERY):
            assert world.records(prefix) == self.world.records(prefix)
        return

    async def work(self, held: Held, answer: Answer, *, later: bool) -> Held | None:
        """Act on what is held, and settle; what is held after an intent."""
        claim = held.claim
        if held.is_sent:
            # One submission has one answer, however often its worker tries to note it.
            answer = self._answers[claim.id].setdefault(claim.fence, answer)
        owner = claim.id if isinstance(held.record, Generation) else held.record.generation_id
        generation = await self._store.find(owner)
        step = decide(held, answer, generation=generation, later=later)
        mine = await self._settle(claim, step)
        if mine is None or step.to is not Status.SUBMITTING:
            return None
        self._intents[claim.id] += 1
        return replace(held, claim=mine, is_sent=True)

    async def give_back(self, held: Held) -> None:
        """The worker stops."""
        await self._settle(held.claim, Step(due=Due(held.claim.lane)))

    async def _settle(self, claim: Claim, step: Step) -> Claim | None:
        fence = 1_000_000 * (len(self.asked) + 1)
        is_full = claim.id not in self.world.has_room and self._room < 1
        expected = "full" if step.to is Status.SUBMITTING and is_full else "settled"
        asked = Asked(claim, step, str(fence), expected)
        outcome = await self._ask(asked)
        if not self._is_live(claim):
            assert outcome == "fenced"
            await self._nothing_changed()
            return None
        assert outcome == expected
        self.asked.append(asked)
        self._takes[claim.id] = 0
        self._lost.discard(claim.id)
        mine = replace(claim, fence=fence, lane=step.due.lane if step.due else claim.lane)
        self._hold(mine)
        if outcome == "full":
            await self._is_back_in_line(claim.id)
            return None
        self._counted[claim.id] += step.add.get("submissions", 0)
        await self._check_due(mine, step)
        return mine

    async def _is_back_in_line(self, generation_id: str) -> None:
        after = await World.read(self._redis)
        record, at = after.record(generation_id), after.lane(Lane.SUBMISSIONS)[generation_id]
        assert record["status"] == "queued"
        if record.get("cancel_requested_at") and not record.get("cancel_outcome"):
            assert at <= after.now
        else:
            assert generation_id in after.line
            assert at == int(record["deadline"])

    async def _check_due(self, mine: Claim, step: Step) -> None:
        after = await World.read(self._redis)
        record, at = after.record(mine.id), after.lane(mine.lane).get(mine.id)
        if step.due is None:
            assert at is None
            return
        is_wished = record.get("cancel_requested_at") and not record.get("cancel_outcome")
        wait = round(step.due.delay.total_seconds() * 1000)
        if is_wished and record["status"] != "submitting" and not step.cancel_known:
            wait = 0  # A cancel that the holder knew nothing of is not kept waiting.
        assert at is not None
        if record["status"] == "queued" and not (step.due.delay or is_wished):
            await self._is_back_in_line(mine.id)
            return
        earliest, latest = self.world.now + wait, after.now + wait
        has_deadline = "deadline" in record and not is_finished(Status(record["status"]))
        if has_deadline and record["status"] != "submitting":
            # Never later than the deadline, and at once where that is over. At the deadline is
            # what waits in its line.
            deadline = int(record["deadline"]) - (record["status"] == "queued")
            earliest = min(earliest, max(deadline, self.world.now))
            latest = min(latest, max(deadline, after.now))
        assert earliest <= at <= latest

    async def settle_again(self, asked: Asked) -> None:
        """The answer to a settle was lost, so the very same is asked for again."""
        is_newest = self._live[asked.claim.id] == asked.next_fence
        assert await self._ask(asked) == (asked.outcome if is_newest else "fenced")
        await self._nothing_changed()

    async def settle_illegally(self, held: Held, to: AnyStatus) -> bool:
        """A step that the tables do not list; False where they do."""
        known = Status if isinstance(to, Status) else DeliveryStatus
        status = known(self.world.record(held.claim.id)["status"])
        if status in allowed_before(to) | {to}:
            return False
        outcome = await self._ask(Asked(held.claim, Step(to=to, due=None), "7"))
        assert outcome == ("refused" if self._is_live(held.claim) else "fenced")
        await self._nothing_changed()
        return True

    async def _ask(self, asked: Asked) -> str:
        guard = {"fence": str(asked.claim.fence), "next_fence": asked.next_fence}
        outcome, _ = await self._due.apply(
            asked.claim.id, asked.claim.lane, asked.step, guard, origin=ORIGIN
        )
        return outcome
