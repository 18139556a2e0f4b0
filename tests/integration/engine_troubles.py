"""What happens to the engine beside its work: cancels, operators, faults, and the way out."""

import json
from datetime import timedelta
from itertools import count
from math import inf

from generations.connection import key
from generations.due import UNFINISHED, Audited, due_key
from generations.ids import DELIVERY
from generations.indexes import IN_FLIGHT
from generations.lifecycle import Status
from generations.limits import Limits
from generations.steps import Lane
from generations.store import CancelAnswer
from tests.integration.engine import ORIGIN, Engine
from tests.integration.engine_known import FAR, HOUR
from tests.integration.engine_work import Answer, Held
from tests.integration.engine_world import FINISHED, INDEXES, LANE_OF, World

HOUR_MS = 3_600_000
MS = timedelta(milliseconds=1)
STRANGER = "gen_00000000000000000000STRANG"
#: Rounds of work that are enough for anything.
ROUNDS = 12


class TroubledEngine(Engine):
    """An engine that people and faults meddle with."""

    async def cancel(self, generation_id: str, *, is_stale: bool) -> None:
        """Cancel, seen as it is now or as it was accepted."""
        status = self.world.record(generation_id)["status"]
        seen = await self._store.find(generation_id)
        if is_stale:
            seen = self._accepted[generation_id]
        answer = await self._store.cancel(seen)
        if status == "queued":
            assert answer is CancelAnswer.CANCELLED
            self._live[generation_id] = "0"
            self._takes[generation_id] = 0
            self._lost.discard(generation_id)
        elif status in FINISHED:
            # To whoever still sees it queued, a cancel at once is answered as it was then.
            was_at_once = seen.status is Status.QUEUED and self._live[generation_id] == "0"
            expected = CancelAnswer.CANCELLED if was_at_once else CancelAnswer.FINISHED
            assert answer is expected
            await self._nothing_changed()
        else:
            assert answer is CancelAnswer.REQUESTED
            await self._is_wished(generation_id, status)

    async def _is_wished(self, generation_id: str, status: str) -> None:
        world = await World.read(self._redis)
        assert world.record(generation_id)["status"] == status
        assert world.record(generation_id)["cancel_requested_at"]
        before, after = self.world.lane(Lane.POLLS), world.lane(Lane.POLLS)
        if self._takes[generation_id] or self._is_wish_known(generation_id):
            # Whoever has it is not robbed of it, however often it is asked for.
            assert after == before
        elif generation_id in after:
            assert after[generation_id] <= world.now

    async def reopen(self, generation_id: str, *, is_adopted: bool, is_stale: bool) -> None:
        """An operator submits an uncertain one again, or goes on with RunComfy's request.

        Seen as it is now, or as it was when an operator did so before.
        """
        now = await self._store.find(generation_id)
        seen = self._seen.get(generation_id, now) if is_stale else now
        if is_adopted:
            is_reopened = await self._store.adopt(seen, "rc-2")
        else:
            is_reopened = await self._store.resubmit(seen)
        may_be = self.is_adoptable if is_adopted else self.is_uncertain
        assert is_reopened == (may_be(generation_id) and seen.timeline == now.timeline)
        if not is_reopened:
            await self._nothing_changed()
            return
        world = await World.read(self._redis)
        assert world.record(generation_id)["fence"] != self._live[generation_id]
        self._live[generation_id] = world.record(generation_id)["fence"]
        self._takes[generation_id] = 0
        self._reopened.add(generation_id)
        self._seen[generation_id] = seen
        self._resubmitted[generation_id] += not is_adopted
        return

    async def lose_index(self) -> None:
        """Every lane is deleted."""
        await self._redis.delete(*map(due_key, Lane))
        self._lost |= {record_id for lane in Lane for record_id in self.world.lane(lane)}

    async def lose_entry(self, index: int) -> None:
        """One entry of a lane is deleted."""
        lane, record_id = self._entry(index)
        await self._redis.zrem(due_key(lane), record_id)
        self._lost.add(record_id)

    async def audit(self) -> None:
        """What fell out is put back, what is too far ahead is due, and nothing else changes."""
        unfinished = self.world.values.get(UNFINISHED, set())
        missing = [i for i in unfinished if not self.world.lanes_of(i)]
        ahead = self._ahead()
        found = await self._due.audit(submitting=HOUR, longest=dict.fromkeys(Lane, FAR))
        assert found == Audited(len(unfinished), len(missing), len(ahead))
        self._lost.clear()
        world = await World.read(self._redis)
        for lane in Lane:
            before, after = self.world.lane(lane), world.lane(lane)
            moved = {*missing, *ahead}
            assert {i: at for i, at in after.items() if i not in moved} == {
                i: at for i, at in before.items() if i not in moved
            }
        for record_id in (*missing, *ahead):
            status = world.record(record_id)["status"]
            if status == "queued":
                assert record_id in world.line
                continue
            is_due = world.lane(LANE_OF[status])[record_id] <= world.now
            # What may be being submitted right now is left alone for its time.
            assert is_due == (status != "submitting")

    def _ahead(self) -> list[str]:
        """What is due further ahead than anything may be, or out of its line without a reason.

        A look for the cost of what has ended is no audit's concern: nobody waits for it.
        """
        unfinished = self.world.values.get(UNFINISHED, set())
        entries = [entry for lane in Lane for entry in self.world.lane(lane).items()]
        return [i for i, at in entries if i in unfinished and at > self._latest(i)]

    def _latest(self, record_id: str) -> int:
        record, far = self.world.record(record_id), self.world.now + FAR // MS
        if record["status"] != "queued":
            return far
        deadline = int(record["deadline"])
        return deadline if record_id in self.world.line else min(deadline - 1, far)

    async def set_back(self) -> None:
        """Redis's clock is set back by weeks, and nothing waits until it is there again."""
        await self.jump(-500)
        await self.check()
        await self.audit()
        await self.check()
        assert self._ahead() == []

    async def begin(self, most: int | None) -> None:
        """The one origin comes to be, with its limit."""
        await self._origins.create_key(ORIGIN)
        await self.limit(most)
        await self.check()

    async def limit(self, most: int | None) -> None:
        """The origin may have so many with RunComfy from now on."""
        await self._origins.limit(ORIGIN, Limits(max_in_flight=most))
        assert (await World.read(self._redis)).most_in_flight == (most or inf)

    async def lose_indexes(self) -> None:
        """What is known of the origin's generations beside their records is deleted."""
        await self._redis.delete(*(INDEXES - {UNFINISHED}))
        self.world = await World.read(self._redis)
        await self.audit()

    async def add_strangers(self) -> None:
        """Ids get into the origin's indexes that do not belong there."""
        await self._redis.sadd(key("unfinished:studio"), STRANGER)
        await self._redis.sadd(key("in_flight:studio"), STRANGER)
        await self._redis.sadd(IN_FLIGHT, STRANGER)
        await self._redis.zadd(key("line:studio"), {STRANGER: 1})
        await self.audit()

    async def jump(self, hours: int) -> None:
        """Redis's clock jumps: everything is due that much earlier, or later."""
        for lane in Lane:
            for record_id, at in self.world.lane(lane).items():
                await self._redis.zadd(due_key(lane), {record_id: at - hours * HOUR_MS})

    async def end_lease(self, index: int) -> None:
        """One entry is due now."""
        lane, record_id = self._entry(index)
        await self._redis.zadd(due_key(lane), {record_id: 1})

    @property
    def has_entries(self) -> bool:
        """Whether any lane has an entry."""
        return any(self.world.lane(lane) for lane in Lane)

    def _entry(self, index: int) -> tuple[Lane, str]:
        entries = [(lane, i) for lane in Lane for i in sorted(self.world.lane(lane), key=self._age)]
        return entries[index % len(entries)]

    async def drain(self, *, is_set_back: bool) -> None:
        """Whatever was done to it: once the world is kind, everything ends and is told."""
        if is_set_back:
            await self.set_back()
            await self._work_off()
        for done in count():
            assert done < ROUNDS, "work that does not end"
            await self.jump(2)
            await self.check()
            await self.audit()
            await self.check()
            if UNFINISHED not in self.world.values:
                break
            await self._work_off()
        told = self.world.records(DELIVERY).values()
        assert all(d["status"] in {"delivered", "exhausted", "superseded"} for d in told)
        assert all(self._is_taken_back(d) for d in told if d["status"] == "superseded")

    async def _work_off(self) -> None:
        for held in await self.pick_up():
            await self._finish(held)

    async def _finish(self, held: Held | None) -> None:
        while held is not None:
            held = await self.work(held, Answer.GOOD, later=False)
            await self.check()

    def _is_taken_back(self, delivery: dict[str, str]) -> bool:
        """Whether it told of a status that something came after; the last end is always told."""
        moves = self.world.timeline(delivery["generation_id"])
        return int(delivery["sequence"]) < len(moves)

    def is_uncertain(self, generation_id: str) -> bool:
        """Whether it failed, and nobody knows whether it was paid."""
        return self._failure(generation_id) == "submission_uncertain"

    def is_adoptable(self, generation_id: str) -> bool:
        """Whether it failed, and RunComfy may have it all the same."""
        codes = {"submission_uncertain", "result_unavailable", "internal"}
        return self._failure(generation_id) in codes

    def _failure(self, generation_id: str) -> str | None:
        error = self.world.record(generation_id).get("error")
        return str(json.loads(error)["code"]) if error else None
