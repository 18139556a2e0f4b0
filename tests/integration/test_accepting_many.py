"""Many accepts at once on a real server: each settled by itself, in order, once."""

import pytest
from redis.asyncio import Redis

from generations.accepting import Ask
from generations.due import DueIndex
from generations.errors import IdempotencyConflict, Refusal
from generations.listing import index_of
from generations.model import Generation
from generations.steps import Lane
from generations.store import GenerationStore
from tests.builders import a_new_generation
from tests.integration.claiming import LONG


async def settled(store: GenerationStore, asks: list[Ask]) -> list[Generation | Refusal]:
    return [one if isinstance(one, Refusal) else one[0] for one in await store.accept_all(asks)]


async def test_each_is_on_record_and_due(store: GenerationStore, due: DueIndex) -> None:
    asks = [Ask(a_new_generation(metadata={"n": str(n)})) for n in range(120)]
    accepted = [one for one in await settled(store, asks) if isinstance(one, Generation)]
    assert [generation.id for generation in accepted] == [ask.new.id for ask in asks]
    assert [generation.metadata["n"] for generation in accepted] == [
        str(n) for n in range(len(asks))
    ]
    assert await store.find(accepted[-1].id) == accepted[-1]
    claims = await due.claim({Lane.SUBMISSIONS: len(asks)}, lease=LONG)
    assert {claim.id for claim in claims} == {ask.new.id for ask in asks}


async def test_none_are_none(store: GenerationStore) -> None:
    assert await store.accept_all([]) == []


async def test_one_conflict_stops_none_of_the_others(
    store: GenerationStore, store_redis: Redis
) -> None:
    before = await store.accept(a_new_generation(), idempotency_key="used")
    first, conflict, replayed, new, again = await settled(
        store,
        [
            Ask(a_new_generation()),
            Ask(a_new_generation(input={"prompt": "else"}), "used"),
            Ask(a_new_generation(), "used"),
            Ask(a_new_generation(), "new"),
            Ask(a_new_generation(), "new"),
        ],
    )
    assert isinstance(first, Generation)
    assert isinstance(new, Generation)
    assert isinstance(conflict, IdempotencyConflict)
    assert replayed == before
    assert new == again
    assert await store_redis.zcard(index_of("studio")) == 3
    assert len({first.id, before.id, new.id}) == 3


async def test_a_batch_may_be_promised_again_and_never_for_something_else(
    store: GenerationStore,
) -> None:
    for _ in range(2):
        await store.promise_batch("studio", "k", [{"model": "a"}])
    with pytest.raises(IdempotencyConflict):
        await store.promise_batch("studio", "k", [{"model": "a"}, {"model": "a"}])
    await store.promise_batch("archive", "k", [{"model": "b"}])
    await store.promise_batch("studio", "k", [{"model": "a"}])
