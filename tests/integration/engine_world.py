"""Everything that Redis holds, read in one step, and what the engine promises about it."""

import json
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any, Final

from redis.asyncio import Redis

from generations.connection import PREFIX, key
from generations.due import UNFINISHED, due_key
from generations.ids import DELIVERY, GENERATION
from generations.indexes import IN_FLIGHT as IN_FLIGHT_OF_ALL
from generations.indexes import LINES, UPSTREAM
from generations.lifecycle import DELIVERY_MOVES, MOVES, REOPENINGS, DeliveryStatus, Status
from generations.steps import Lane

#: Written out once more, so that a change of the tables cannot change the promise.
FINISHED: Final = frozenset({"succeeded", "failed", "cancelled"})
LANE_OF: Final = {
    "queued": Lane.SUBMISSIONS,
    "submitting": Lane.SUBMISSIONS,
    "in_queue": Lane.POLLS,
    "in_progress": Lane.POLLS,
    "pending": Lane.DELIVERIES,
}
IN_FLIGHT: Final = frozenset({"submitting", "in_queue", "in_progress"})
#: The record of the one origin of these tests.
ORIGIN: Final = key("origin:studio")
#: Keys that Redis forgets when they are empty.
INDEXES: Final = {
    UNFINISHED,
    *(key(f"{name}:studio") for name in ("unfinished", "in_flight", "line")),
    IN_FLIGHT_OF_ALL,
    LINES,
}
LANES: Final = {due_key(lane): lane for lane in Lane}

Hash = dict[str, str]


#: All keys with what they hold, and the instant (ms): one step, one answer.
READ: Final = """
local time = redis.call('TIME')
local values, expiring = {}, {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', name).ok
  local read = {
    hash = {'HGETALL', name},
    set = {'SMEMBERS', name},
    zset = {'ZRANGE', name, 0, -1, 'WITHSCORES'},
  }
  values[name] = {kind, redis.call(unpack(read[kind]))}
  expiring[name] = redis.call('PTTL', name) >= 0 or nil
end
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return cjson.encode({now = now, values = values, expiring = expiring})
"""


@dataclass(frozen=True, slots=True)
class World:
    """All keys and what they hold. Two worlds are equal where nothing at all changed."""

    values: dict[str, Any] = field(default_factory=dict)
    #: The keys that Redis will forget some day.
    expiring: frozenset[str] = frozenset()
    #: When it was read, on Redis's clock (ms).
    now: int = field(default=0, compare=False)

    @classmethod
    async def read(cls, redis: Redis) -> "World":
        """The world as it is now."""
        found = json.loads(await redis.register_script(READ)())
        values = {name: _of_kind(*value) for name, value in found["values"].items()}
        return cls(values, frozenset(found["expiring"]), int(found["now"]))

    def records(self, prefix: str) -> dict[str, Hash]:
        """The generations, or the deliveries, by id."""
        whole = PREFIX + prefix
        return {
            name.removeprefix(PREFIX): value
            for name, value in self.values.items()
            if name.startswith(whole)
        }

    def record(self, record_id: str) -> Hash:
        fields: Hash = self.values[key(record_id)]
        return fields

    @property
    def most_in_flight(self) -> float:
        """How many generations of the one origin may be with RunComfy."""
        limit = self.values.get(ORIGIN, {}).get("max_in_flight")
        return int(limit) if limit else inf

    @property
    def line(self) -> dict[str, float]:
        """Those that wait for their turn, by what it goes by."""
        return {i: float(at) for i, at in self.values.get(key("line:studio"), {}).items()}

    @property
    def has_room(self) -> set[str]:
        """Those that count as with RunComfy: what it has, and what is claimed to be submitted."""
        return set(self.values.get(key("in_flight:studio"), ()))

    @property
    def in_flight(self) -> set[str]:
        """The generations that RunComfy has, or may have."""
        found = self.records(GENERATION).items()
        return {i for i, fields in found if fields["status"] in IN_FLIGHT}

    def lane(self, lane: Lane) -> dict[str, int]:
        """When each entry of a lane is due (ms)."""
        return {name: int(score) for name, score in self.values.get(due_key(lane), {}).items()}

    def lanes_of(self, record_id: str) -> list[Lane]:
        """The lanes that a record is in."""
        return [lane for lane in Lane if record_id in self.lane(lane)]

    def timeline(self, generation_id: str) -> list[Status]:
        """The statuses that it entered, in order."""
        moves = self.record(generation_id)["timeline"].split(";")
        return [Status(entry.partition("=")[0]) for entry in moves if entry]


def _of_kind(kind: str, flat: list[str]) -> Any:
    return set(flat) if kind == "set" else dict(zip(flat[::2], flat[1::2], strict=True))


def turn_of(fields: Hash) -> int:
    """What a generation's place in its line goes by: each step of priority is ten minutes."""
    return int(fields["created_at"]) - int(fields.get("priority", 0)) * 600_000


def check_entries(world: World, lost: set[str]) -> None:
    """What is unfinished is in its one lane, unless it fell out; what is finished is in none.

    But for what has succeeded, which may be due to be asked for its cost.
    """
    records = {**world.records(GENERATION), **world.records(DELIVERY)}
    unfinished = {i for i, fields in records.items() if fields["status"] in LANE_OF}
    assert set(world.values.get(UNFINISHED, ())) == unfinished
    for record_id, fields in records.items():
        lane = LANE_OF.get(fields["status"])
        allowed = [[lane] if lane else []]
        if record_id in lost:
            allowed.append([])
        if fields["status"] == Status.SUCCEEDED and not fields.get("cost"):
            allowed.append([Lane.POLLS])
        assert world.lanes_of(record_id) in allowed, (record_id, fields)
        # Only what is finished is ever forgotten, and what is to be told once it was.
        last_told = fields.get("deliveries", "").split()[-1:]
        is_over = not unfinished.intersection((record_id, *last_told))
        assert (key(record_id) in world.expiring) == is_over
    strangers = {i for lane in Lane for i in world.lane(lane)} - records.keys()
    assert not strangers


def check_indexes(world: World) -> None:
    """The origin's indexes say what its records say, and nothing waits while there is room."""
    generations = world.records(GENERATION)
    unfinished = {i for i, fields in generations.items() if fields["status"] not in FINISHED}
    assert set(world.values.get(key("unfinished:studio"), ())) == unfinished
    assert set(world.values.get(IN_FLIGHT_OF_ALL, ())) == world.has_room
    assert world.in_flight <= world.has_room <= unfinished
    assert not world.has_room & world.line.keys()
    for generation_id, score in world.line.items():
        fields = generations[generation_id]
        assert fields["status"] == "queued"
        assert score == turn_of(fields)
    assert not world.line or LINES in world.values or len(world.has_room) >= world.most_in_flight


def check_moves(before: World, world: World, reopened: frozenset[str]) -> None:
    """Statuses moved along their tables, and nothing that was on record went away.

    ``reopened`` are the generations that an operator reopened in the last step.
    """
    for generation_id, fields in world.records(GENERATION).items():
        timeline = world.timeline(generation_id)
        assert timeline[0] is Status.QUEUED
        assert timeline[-1] == fields["status"]
        known = before.values.get(key(generation_id))
        old = before.timeline(generation_id) if known else timeline[:1]
        assert timeline[: len(old)] == old
        table = REOPENINGS if generation_id in reopened else MOVES
        assert all(to in table[at] for at, to in pairwise(timeline[len(old) - 1 :]))
    for delivery_id, fields in world.records(DELIVERY).items():
        was = DeliveryStatus(before.values.get(key(delivery_id), {}).get("status", "pending"))
        now = DeliveryStatus(fields["status"])
        assert now == was or now in DELIVERY_MOVES[was]
    assert before.values.keys() - LANES.keys() - INDEXES - {UPSTREAM} <= world.values.keys()


def check_deliveries(world: World) -> None:
    """Every end of a generation with a webhook made one delivery, in the step that ended it."""
    owned: list[str] = []
    for generation_id, fields in world.records(GENERATION).items():
        timeline = world.timeline(generation_id)
        ids = fields.get("deliveries", "").split()
        owned += ids
        told = {}
        for delivery_id in ids:
            delivery = world.record(delivery_id)
            assert delivery["generation_id"] == generation_id
            place = int(delivery["sequence"])
            assert timeline[place - 1] == delivery["told"]
            told[place] = delivery["told"]
        assert len(told) == len(ids), "a move is told twice"
        ends = {n: s for n, s in enumerate(timeline, 1) if s in FINISHED}
        assert {n: s for n, s in told.items() if s in FINISHED} == (
            ends if fields["webhook"] else {}
        )
        if not fields["intermediate"]:
            assert set(told.values()) <= FINISHED
    assert sorted(owned) == sorted(world.records(DELIVERY))
