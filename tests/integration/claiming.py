"""Claiming and settling by hand, on a real server."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from generations.due import Claim, DueIndex, due_key
from generations.lifecycle import Status
from generations.model import Delivery, Generation
from generations.steps import Due, Lane, Step, finish
from generations.store import GenerationStore
from tests.builders import ENDPOINT, a_new_generation
from tests.waiting import eventually

LONG: Final = timedelta(minutes=5)
SHORT: Final = timedelta(milliseconds=40)
#: How far ahead anything may be due.
FAR: Final = dict.fromkeys(Lane, timedelta(hours=1))

#: The usual way of a generation, each step due at once.
INTENDED: Final = Step(to=Status.SUBMITTING, due=Due(Lane.SUBMISSIONS), add={"submissions": 1})
SUBMITTED: Final = Step(
    to=Status.IN_QUEUE, due=Due(Lane.POLLS), set={"runcomfy_request_id": "rc-1"}
)
BEGUN: Final = Step(to=Status.IN_PROGRESS, due=Due(Lane.POLLS), add={"polls": 1})
SUCCEEDED: Final = Step(to=Status.SUCCEEDED, due=None, set={"output": {"video": "https://a/1"}})
USUAL_WAY: Final = (INTENDED, SUBMITTED, BEGUN, SUCCEEDED)


async def accept(store: GenerationStore, **fields: object) -> Generation:
    return await store.accept(a_new_generation(**fields))


async def accept_many(store: GenerationStore, count: int) -> list[Generation]:
    return [await accept(store) for _ in range(count)]


async def claim(due: DueIndex, lane: Lane, *, lease: timedelta = LONG) -> Claim:
    """The next claim of a lane, once something is due in it."""
    (claimed,) = await eventually(
        lambda: due.claim({lane: 1}, lease=lease), f"something is due in {lane}"
    )
    return claimed


async def take(due: DueIndex, claimed: Claim) -> tuple[Claim, Generation]:
    """A claim made one's own."""
    (taken,) = await due.take_generations([claimed], lease=LONG)
    return taken


async def take_delivery(due: DueIndex) -> tuple[Claim, Delivery]:
    """The next delivery that is due."""
    claimed = await claim(due, Lane.DELIVERIES)
    (taken,) = await due.take_deliveries([claimed], lease=LONG)
    return taken


async def hold(due: DueIndex, lane: Lane) -> tuple[Claim, Generation]:
    """Claim and take the next of a lane."""
    return await take(due, await claim(due, lane))


async def settled(due: DueIndex, held: Claim, step: Step) -> Claim:
    """The claim to go on with; it must not be lost."""
    went_on = await due.settle(held, step)
    assert went_on is not None, "the claim was lost"
    return went_on


async def bring_to(due: DueIndex, status: Status) -> Claim:
    """Bring the one generation that is queued to a status, and keep hold of it."""
    held, _ = await hold(due, Lane.SUBMISSIONS)
    for step in USUAL_WAY:
        held = await settled(due, held, step)
        if step.to is status:
            return held
    raise ValueError(status)


async def told_of_success(store: GenerationStore, due: DueIndex) -> Generation:
    """A generation that succeeded, and whose endpoint is about to be told."""
    generation = await accept(store, webhook=ENDPOINT)
    held = await bring_to(due, Status.IN_PROGRESS)
    found = await store.find(generation.id)
    await settled(due, held, finish(found, Status.SUCCEEDED, output={"video": "https://a/1"}))
    return await store.find(generation.id)


async def due_times(redis: Redis, record_id: str) -> dict[Lane, int]:
    """In which lanes a record is, and when it is due there (ms)."""
    scores = {lane: await redis.zscore(due_key(lane), record_id) for lane in Lane}
    return {lane: int(score) for lane, score in scores.items() if score is not None}


async def now_ms(redis: Redis) -> int:
    """Redis's own clock."""
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


def ids(claims: Sequence[Claim]) -> list[str]:
    return [claimed.id for claimed in claims]
