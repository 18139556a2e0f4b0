"""How many of its origin go before a generation that waits to be submitted."""

from collections.abc import Sequence

from generations.connection import Redis, reaching_store
from generations.indexes import line_key
from generations.model import Generation


@reaching_store
async def places_in_line(redis: Redis, generations: Sequence[Generation]) -> list[int]:
    """Each one's place in its origin's line, itself counted; 1 where it is in none any more.

    Others' lines do not count: the origins take turns.
    """
    async with redis.pipeline(transaction=True) as pipe:
        for generation in generations:
            pipe.zrank(line_key(generation.origin), generation.id)
        ranks = await pipe.execute()
    return [(rank or 0) + 1 for rank in ranks]
