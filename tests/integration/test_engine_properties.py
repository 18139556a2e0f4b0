"""Any sequence of work, crashes, duplicates and faults, against the real scripts.

What is promised, and compared with every key after every step, is written out in
``engine_world.py`` and ``engine_known.py``; ``engine.py`` and ``engine_troubles.py`` say what
must come of each step.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from generations.connection import connect
from tests.conftest import RedisServer
from tests.integration.engine_play import WEIGHTS, Play, Step
from tests.integration.engine_work import Answer

#: A database that no other test looks into.
DATABASE: Final = 7
STEPS: Final = st.lists(
    st.builds(
        Step,
        do=st.sampled_from([act for act, weight in WEIGHTS.items() for _ in range(weight)]),
        which=st.integers(0, 35),
        answer=st.sampled_from([Answer.GOOD, Answer.GOOD, *Answer]),
        is_so=st.booleans(),
    ),
    min_size=40,
    max_size=80,
)


async def played(
    url: str,
    most: int | None,
    most_of_all: int | None,
    steps: Sequence[Step],
    *,
    is_set_back: bool,
) -> None:
    """All steps in an empty database, every promise checked after each, and then the way out."""
    redis = connect(url, max_connections=1)
    try:
        await redis.flushdb()
        play = Play(redis, most_of_all=most_of_all)
        await play.engine.begin(most)
        for step in steps:
            await play.act(step)
        await play.engine.drain(is_set_back=is_set_back)
    finally:
        await redis.aclose()


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(
    most=st.sampled_from([None, 1, 1, 2]),
    most_of_all=st.sampled_from([None, None, 1, 2]),
    steps=STEPS,
    is_set_back=st.booleans(),
)
def test_whatever_happens_nothing_is_lost_paid_twice_or_told_twice(
    valkey_server: RedisServer,
    most: int | None,
    most_of_all: int | None,
    steps: list[Step],
    is_set_back: bool,
) -> None:
    url = valkey_server.url(DATABASE)
    asyncio.run(played(url, most, most_of_all, steps, is_set_back=is_set_back))
