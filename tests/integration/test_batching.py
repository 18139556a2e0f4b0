"""Commands that go out together are answered, fail and are cancelled each on its own."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from generations.batching import LARGEST_BATCH, BatchingRedis
from generations.connection import connect

#: Seconds, for what would otherwise wait for ever.
PATIENCE = 30.0


async def round_trips(redis: Redis) -> int:
    """How often a server has read something that clients sent."""
    return int((await redis.info("stats"))["total_reads_processed"])


async def echo(redis: Redis, text: str) -> str:
    """The same text, from the server."""
    return str(await redis.echo(text))


def test_every_client_is_such_a_one(store_redis: Redis) -> None:
    assert type(store_redis) is BatchingRedis


async def test_what_is_asked_for_together_takes_few_round_trips(store_redis: Redis) -> None:
    before = await round_trips(store_redis)
    answers = await asyncio.gather(*(store_redis.incr("counted") for _ in range(LARGEST_BATCH)))
    spent = await round_trips(store_redis) - before

    assert sorted(answers) == list(range(1, LARGEST_BATCH + 1))
    assert spent < LARGEST_BATCH / 4


async def test_one_that_fails_fails_alone(store_redis: Redis) -> None:
    await store_redis.set("text", "no number")
    first, failed, last = await asyncio.gather(
        store_redis.set("a", "1"),
        store_redis.incr("text"),
        store_redis.hset("b", "field", "2"),
        return_exceptions=True,
    )

    assert (first, last) == (True, 1)
    assert isinstance(failed, ResponseError)


async def test_one_that_is_cancelled_leaves_the_others_alone(store_redis: Redis) -> None:
    tasks = [asyncio.create_task(echo(store_redis, str(n))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert answers[1::2] == [str(n) for n in range(1, 20, 2)]
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert await store_redis.echo("still there") == "still there"


@pytest.mark.parametrize("askers", [1, 2, 3, 5, 100])
async def test_nobody_is_forgotten_however_they_come(store_redis: Redis, askers: int) -> None:
    async def ask(number: int) -> list[str]:
        said = []
        for turn in range(60):
            said.append(await echo(store_redis, f"{number}-{turn}"))
            # Some come in the very turn in which a batch ends, some a little later.
            for _ in range(turn % (number + 2)):
                await asyncio.sleep(0)
        return said

    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*(ask(number) for number in range(askers)))

    assert answers == [[f"{number}-{turn}" for turn in range(60)] for number in range(askers)]


async def test_a_server_that_is_away_fails_everybody_who_asked() -> None:
    client = connect("redis://127.0.0.1:1/0")
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*(client.ping() for _ in range(5)), return_exceptions=True)
    await client.aclose()

    assert [type(answer) for answer in answers] == [RedisConnectionError] * 5


async def test_a_connection_that_was_cut_is_replaced(store_redis: Redis, redis_url: str) -> None:
    ours = await store_redis.client_id()
    killer = connect(redis_url)
    await killer.client_kill_filter(_id=str(ours))
    await killer.aclose()

    assert await store_redis.echo("again") == "again"
