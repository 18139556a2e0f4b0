"""Steps as numbers, so that they can be drawn, and the engine that they are played on."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from redis.asyncio import Redis

from generations.due import SUSPECT_TAKES, Claim
from generations.ids import GENERATION
from generations.lifecycle import DeliveryStatus, Status
from generations.model import NewGeneration, OnUncertain
from generations.steps import Lane
from tests.builders import ENDPOINT, a_new_generation
from tests.integration.engine_troubles import TroubledEngine
from tests.integration.engine_work import Answer, Held

POLICIES: Final = (None, OnUncertain.RESUBMIT, OnUncertain.FAIL)
#: Trouble comes from what happens to one generation, so that few are enough.
MOST: Final = 3
PRIORITIES: Final = (0, 0, 5, -5)
KEYS: Final = (None, None, "one", "two")

_R = TypeVar("_R")


class Act(StrEnum):
    """What can happen. A crash is a holder that is never heard of again."""

    ACCEPT = "accept"
    ACCEPT_AGAIN = "accept again"
    CLAIM = "claim"
    TAKE = "take"
    TAKE_AGAIN = "take again"
    PICK_UP = "pick up"
    GO_ON = "go on"
    WORK_LATE = "work late"
    GIVE_BACK = "give back"
    TAKE_IN_VAIN = "take in vain"
    DIE = "die"
    SETTLE_AGAIN = "settle again"
    SETTLE_ILLEGALLY = "settle illegally"
    CANCEL = "cancel"
    REOPEN = "reopen"
    END_LEASE = "end lease"
    JUMP = "jump"
    LOSE_INDEX = "lose index"
    LOSE_ENTRY = "lose entry"
    LOSE_INDEXES = "lose the origin's indexes"
    ADD_STRANGERS = "add strangers"
    LIMIT = "limit"
    AUDIT = "audit"


#: How often each is drawn.
WEIGHTS: Final = dict.fromkeys(Act, 1) | {
    Act.ACCEPT: 3,
    Act.TAKE: 2,
    Act.PICK_UP: 3,
    Act.GO_ON: 12,
    Act.CANCEL: 2,
    Act.REOPEN: 2,
}
#: What happens to the engine as a whole.
ON_ALL: Final = frozenset(
    {
        Act.ACCEPT,
        Act.CLAIM,
        Act.PICK_UP,
        Act.JUMP,
        Act.LOSE_INDEX,
        Act.LOSE_INDEXES,
        Act.ADD_STRANGERS,
        Act.LIMIT,
        Act.AUDIT,
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; ``which`` of several it happens to counts from the newest."""

    do: Act
    which: int
    answer: Answer
    is_so: bool


class Play:
    """An engine, and everything that was ever claimed or taken of it."""

    def __init__(self, redis: Redis, *, most_of_all: int | None) -> None:
        self.engine = TroubledEngine(redis, most_of_all=most_of_all)
        self._generations: list[str] = []
        self._claims: list[Claim] = []
        #: All who ever held something, and of these, those who did not settle yet.
        self._held: list[Held] = []
        self._busy: list[Held] = []
        self._accepts = 0

    async def act(self, step: Step) -> None:
        """Play one step, as far as there is something that it can happen to."""
        if step.do is Act.GO_ON and not self._busy:
            # Time passes, until there is work again.
            await self._pick_up(step)
        elif step.do in ON_ALL:
            await self._on_all(step)
        elif step.do is Act.REOPEN:
            failed = [i for i in self._generations if self.engine.is_adoptable(i)]
            await self._on_generation(step, _pick(failed or self._generations, step))
        elif step.do in {Act.ACCEPT_AGAIN, Act.CANCEL}:
            await self._on_generation(step, _pick(self._generations, step))
        elif step.do in {Act.END_LEASE, Act.LOSE_ENTRY}:
            await self._on_entry(step)
        elif step.do is Act.TAKE:
            await self._take(_pick(self._claims, step))
        elif step.do is Act.TAKE_IN_VAIN:
            await self._take_in_vain()
        elif step.do is Act.SETTLE_AGAIN:
            if asked := _pick(self.engine.asked, step):
                await self.engine.settle_again(asked)
        else:
            await self._on_holder(step)
        await self.engine.check()

    async def _on_all(self, step: Step) -> None:
        match step.do:
            case Act.ACCEPT if self._accepts < MOST:
                await self._accept(step)
            case Act.CLAIM:
                self._claims += await self.engine.claim(list(Lane)[step.which % 3])
            case Act.PICK_UP:
                await self._pick_up(step)
            case Act.JUMP:
                await self.engine.jump(2 if step.is_so else -2)
            case Act.LIMIT:
                await self.engine.limit((None, 1, 1, 2)[step.which % 4])
            case Act.AUDIT:
                await self.engine.audit()
            case _:
                await self._on_indexes(step)

    async def _on_indexes(self, step: Step) -> None:
        match step.do:
            case Act.LOSE_INDEX:
                await self.engine.lose_index()
                await self.engine.check()
                if step.is_so:
                    await self.engine.audit()
            case Act.LOSE_INDEXES:
                await self.engine.lose_indexes()
            case Act.ADD_STRANGERS:
                await self.engine.add_strangers()

    async def _accept(self, step: Step) -> None:
        self._accepts += 1
        accepted = await self.engine.accept(self._new(step), KEYS[step.which % len(KEYS)])
        self._generations += [accepted] if accepted else []

    async def _pick_up(self, step: Step) -> None:
        if not self.engine.has_entries:
            return await self._accept(step)
        if step.is_so:
            await self.engine.jump(2)
            await self.engine.check()
        for held in await self.engine.pick_up():
            self._holds(held)
        return None

    def _new(self, step: Step) -> NewGeneration:
        told = step.which % 3
        return a_new_generation(
            id=f"{GENERATION}{self._accepts:026}",
            input={"prompt": "a bear" if step.is_so else "a boat"},
            webhook=ENDPOINT if told else None,
            webhook_intermediate_status=told == 1,
            on_uncertain=POLICIES[step.which // 12],
            priority=PRIORITIES[step.which % 4],
        )

    async def _on_generation(self, step: Step, generation_id: str | None) -> None:
        if generation_id is None:
            return
        match step.do:
            case Act.ACCEPT_AGAIN:
                await self.engine.accept_again(generation_id)
            case Act.CANCEL:
                await self.engine.cancel(generation_id, is_stale=step.is_so)
            case _:
                is_stale = step.answer is not Answer.GOOD
                await self.engine.reopen(generation_id, is_adopted=step.is_so, is_stale=is_stale)

    async def _on_entry(self, step: Step) -> None:
        if not self.engine.has_entries:
            return
        if step.do is Act.END_LEASE:
            await self.engine.end_lease(step.which)
        else:
            await self.engine.lose_entry(step.which)

    async def _take(self, claim: Claim | None) -> None:
        self._holds(await self.engine.take(claim) if claim else None)

    async def _take_in_vain(self) -> None:
        """Workers take all that there is, and are killed, again and again."""
        for _ in range(SUSPECT_TAKES):
            await self.engine.jump(2)
            await self.engine.check()
            for held in await self.engine.pick_up():
                self._holds(held)

    async def _on_holder(self, step: Step) -> None:
        held = _pick(self._busy if step.do is Act.GO_ON else self._held, step)
        if held is None:
            return
        match step.do:
            case Act.GO_ON | Act.WORK_LATE:
                await self._work(held, step)
            case Act.TAKE_AGAIN if not held.is_sent:
                await self.engine.take_again(held)
            case Act.SETTLE_ILLEGALLY:
                statuses: Any = DeliveryStatus if held.claim.lane is Lane.DELIVERIES else Status
                to: Any = list(statuses)[step.which % len(statuses)]
                await self.engine.settle_illegally(held, to)
            case Act.GIVE_BACK:
                await self.engine.give_back(held)
            case Act.DIE if not held.is_sent and held.claim.is_suspect:
                await self.engine.die(held)

    async def _work(self, held: Held, step: Step) -> None:
        self._busy = [other for other in self._busy if other is not held]
        self._holds(await self.engine.work(held, step.answer, later=step.is_so))

    def _holds(self, held: Held | None) -> None:
        if held is not None:
            self._held.append(held)
            self._busy.append(held)


def _pick(things: Sequence[_R], step: Step) -> _R | None:
    return things[-1 - step.which % len(things)] if things else None
