"""How many are served before a generation that waits to be submitted."""

from collections.abc import Sequence

from generations.connection import Redis, reaching_store
from generations.indexes import due_key, parked_key
from generations.model import Generation
from generations.records import to_ms
from generations.steps import Lane


@reaching_store
async def places_in_line(redis: Redis, generations: Sequence[Generation]) -> list[int]:
    """How many submissions are due before each, itself counted (so at least 1).

    Where one waits for room, how many of its origin's do that before it.
    """
    lane = due_key(Lane.SUBMISSIONS)
    async with redis.pipeline(transaction=True) as pipe:
        for generation in generations:
            pipe.zscore(lane, generation.id)
            pipe.zrank(lane, generation.id)
            pipe.zrank(parked_key(generation.origin), generation.id)
        found = await pipe.execute()
    rows = zip(generations, found[::3], found[1::3], found[2::3], strict=True)
    return [_place(generation, *row) for generation, *row in rows]


def _place(
    generation: Generation, score: float | None, rank: int | None, parked: int | None
) -> int:
    if parked is not None:
        return parked + 1
    # Another instant than its acceptance means that a worker has it, or had it, in hand.
    is_next_in_line = score is not None and int(score) == to_ms(generation.created_at)
    return (rank or 0) + 1 if is_next_in_line else 1
