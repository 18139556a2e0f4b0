"""What is known of the engine under test from its answers alone, and what it must keep to."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Final

from redis.asyncio import Redis

from generations.connection import load_script
from generations.due import Claim, DueIndex
from generations.ids import GENERATION
from generations.lifecycle import Status
from generations.limits import UpstreamLimits
from generations.model import Generation, NewGeneration, OnUncertain
from generations.origins import OriginStore
from generations.steps import Step
from generations.store import GenerationStore
from tests.integration.engine_work import UNPAID, Answer
from tests.integration.engine_world import (
    World,
    check_deliveries,
    check_entries,
    check_indexes,
    check_moves,
)

HOUR: Final = timedelta(hours=1)
#: How far ahead anything may be due: more than it is ever put here, less than a jump.
FAR: Final = timedelta(minutes=90)
KEEP: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Asked:
    """A settle as it was sent; sent again, it is the very same."""

    claim: Claim
    step: Step
    next_fence: str
    outcome: str = "settled"


class Known:
    """Store and due index, the world they left behind, and who holds what."""

    def __init__(self, redis: Redis, *, most_of_all: int | None = None) -> None:
        self._redis = redis
        self._store = GenerationStore(redis, deadline=HOUR, keep=KEEP)
        self._due = DueIndex(redis, keep=KEEP, upstream=UpstreamLimits(most_of_all))
        self._most_of_all = most_of_all or inf
        self._origins = OriginStore(redis)
        self._take_script = load_script(redis, "line", "pace", "take")
        self.world = World()
        #: The settles that were written.
        self.asked: list[Asked] = []
        self._new: dict[str, NewGeneration] = {}
        self._accepted: dict[str, Generation] = {}
        self._keys: dict[str, NewGeneration] = {}
        #: The one fence per record whose holder may settle.
        self._live: dict[str, str] = {}
        self._takes: Counter[str] = Counter()
        self._lost: set[str] = set()
        self._reopened: set[str] = set()
        #: As operators saw what they reopened.
        self._seen: dict[str, Generation] = {}
        self._resubmitted: Counter[str] = Counter()
        self._intents: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        #: What RunComfy answered to each submission that was sent, by the sender's fence.
        self._answers: dict[str, dict[int, Answer]] = defaultdict(dict)

    async def check(self) -> None:
        """Compare the world with every promise."""
        world = await World.read(self._redis)
        check_entries(world, self._lost)
        check_moves(self.world, world, frozenset(self._reopened))
        check_deliveries(world)
        check_indexes(world)
        for generation_id, fields in world.records(GENERATION).items():
            self._check_submissions(generation_id, int(fields.get("submissions", 0)), world)
        for record_id, fence in self._live.items():
            assert world.record(record_id)["fence"] == fence
            assert int(world.record(record_id).get("takes", 0)) == self._takes[record_id]
        self._reopened.clear()
        self.world = world

    def _check_submissions(self, generation_id: str, submissions: int, world: World) -> None:
        intents, new = self._intents[generation_id], self._new[generation_id]
        answers = self._answers[generation_id].values()
        perhaps_paid = intents - sum(answer in UNPAID for answer in answers)
        assert perhaps_paid <= submissions <= intents
        assert submissions == self._counted[generation_id]
        assert world.timeline(generation_id).count(Status.SUBMITTING) == intents
        chosen = new.on_uncertain is OnUncertain.RESUBMIT
        assert perhaps_paid <= 1 + chosen + self._resubmitted[generation_id]

    async def _nothing_changed(self) -> None:
        assert await World.read(self._redis) == self.world

    @property
    def _room(self) -> float:
        """How many more RunComfy may have."""
        most = min(self.world.most_in_flight, self._most_of_all)
        return most - len(self.world.has_room)

    def _is_wish_known(self, generation_id: str) -> bool:
        record = self.world.record(generation_id)
        return bool(record.get("cancel_requested_at")) and not record.get("cancel_outcome")

    def _hold(self, claim: Claim) -> None:
        assert self._live.get(claim.id) != str(claim.fence), "a fence that stayed"
        self._live[claim.id] = str(claim.fence)

    def _is_live(self, claim: Claim) -> bool:
        return self._live[claim.id] == str(claim.fence)

    def _age(self, record_id: str) -> tuple[str, int]:
        fields = self.world.record(record_id)
        return fields.get("generation_id", record_id), int(fields.get("sequence", 0))
