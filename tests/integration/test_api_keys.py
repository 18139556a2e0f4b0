"""API keys on a real server: what they may, when they were used, how they end."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from generations.connection import key
from generations.errors import Unauthorized
from generations.model import ApiKey, Scope
from generations.origins import NewKey, OriginStore
from tests.waiting import eventually

ALL = frozenset(Scope)
HOUR = timedelta(hours=1)


async def the_only(origins: OriginStore) -> ApiKey:
    (found,) = await origins.keys()
    return found


async def is_refused(origins: OriginStore, made: NewKey) -> bool:
    try:
        await origins.find_key(made.api_key)
    except Unauthorized:
        return True
    return False


async def a_key_from_before_there_were_scopes(origins: OriginStore, redis: Redis) -> NewKey:
    """As it was written then: no scopes, no name, and in no set."""
    made = await origins.create_key("studio")
    ((name, fields),) = [
        (name, await redis.hgetall(name)) async for name in redis.scan_iter(match=key("key:*"))
    ]
    await redis.delete(name, key("keys"))
    await redis.hset(name, mapping={k: fields[k] for k in ("origin", "created_at")})
    return made


async def test_a_key_has_the_scopes_that_it_was_given(origins: OriginStore) -> None:
    made = await origins.create_key("studio", scopes=[Scope.READ], called="dashboard")
    found = await origins.find_key(made.api_key)
    assert found.id == made.id
    assert found.id.startswith("key_")
    assert found.scopes == {Scope.READ}
    assert found.name == "dashboard"
    assert found.last_used_at is None
    assert found.ends_at is None


async def test_a_key_may_submit_and_read_where_nothing_else_is_said(origins: OriginStore) -> None:
    made = await origins.create_key("studio")
    found = await origins.find_key(made.api_key)
    assert found.scopes == {Scope.SUBMIT, Scope.READ}
    assert not found.may(Scope.ADMIN)


async def test_admin_may_everything(origins: OriginStore) -> None:
    made = await origins.create_key("studio", scopes=[Scope.ADMIN])
    found = await origins.find_key(made.api_key)
    assert all(found.may(scope) for scope in Scope)


async def test_a_key_from_before_there_were_scopes_may_everything(
    origins: OriginStore, store_redis: Redis
) -> None:
    made = await a_key_from_before_there_were_scopes(origins, store_redis)
    found = await origins.find_key(made.api_key)
    assert all(found.may(scope) for scope in Scope)
    assert found.id == made.id


async def test_a_key_from_before_there_was_a_list_is_listed_once_it_was_used(
    origins: OriginStore, store_redis: Redis
) -> None:
    made = await a_key_from_before_there_were_scopes(origins, store_redis)
    assert await origins.keys() == []
    await origins.note_use(made.api_key)
    assert (await the_only(origins)).id == made.id
    assert await origins.revoke(made.id)
    assert await is_refused(origins, made)


async def test_keys_are_listed_by_origin_in_the_order_of_their_making(
    origins: OriginStore,
) -> None:
    made = [await origins.create_key(name) for name in ("studio", "archive", "studio")]
    assert [one.id for one in await origins.keys("archive")] == [made[1].id]
    assert {one.id for one in await origins.keys("studio")} == {made[0].id, made[2].id}
    assert [one.origin for one in await origins.keys()] == ["archive", "studio", "studio"]
    assert await origins.keys("nobody") == []


async def test_its_use_is_noted_and_for_a_minute_no_more(origins: OriginStore) -> None:
    made = await origins.create_key("studio")
    await origins.note_use(made.api_key)
    first = (await the_only(origins)).last_used_at
    assert first is not None
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    await asyncio.gather(*(origins.note_use(made.api_key) for _ in range(20)))
    assert (await the_only(origins)).last_used_at == first


async def test_a_later_use_is_noted_anew(origins: OriginStore, store_redis: Redis) -> None:
    made = await origins.create_key("studio")
    (name,) = [name async for name in store_redis.scan_iter(match=key("key:*"))]
    await store_redis.hset(name, "last_used_at", "1000")
    await origins.note_use(made.api_key)
    noted = (await the_only(origins)).last_used_at
    assert noted is not None
    assert noted.year > 2000


async def test_a_revoked_key_is_refused_at_once_and_the_others_are_not(
    origins: OriginStore,
) -> None:
    first, second = [await origins.create_key("studio") for _ in range(2)]
    assert await origins.revoke(first.id)
    assert await is_refused(origins, first)
    assert not await is_refused(origins, second)
    assert (await the_only(origins)).id == second.id


async def test_a_use_that_is_noted_late_brings_no_revoked_key_back(
    origins: OriginStore, store_redis: Redis
) -> None:
    made = await origins.create_key("studio")
    await origins.revoke(made.id)
    before = sorted(await store_redis.keys())
    await origins.note_use(made.api_key)
    assert sorted(await store_redis.keys()) == before
    assert await is_refused(origins, made)


@pytest.mark.parametrize("key_id", ["", "key_", "key_0", "*", "key:*"])
async def test_what_is_no_key_can_be_neither_revoked_nor_rotated(
    key_id: str, origins: OriginStore
) -> None:
    await origins.create_key("studio")
    assert not await origins.revoke(key_id)
    assert await origins.rotate(key_id, overlap=HOUR) is None
    assert len(await origins.keys()) == 1


async def test_rotating_makes_a_key_alike_and_lets_the_old_one_end(origins: OriginStore) -> None:
    old = await origins.create_key("studio", scopes=[Scope.READ], called="dashboard")
    new = await origins.rotate(old.id, overlap=HOUR)
    assert new is not None
    assert not await is_refused(origins, old)
    assert not await is_refused(origins, new)
    listed = {one.id: one for one in await origins.keys()}
    assert listed[new.id].scopes == {Scope.READ}
    assert listed[new.id].name == "dashboard"
    assert listed[new.id].ends_at is None
    ends_at = listed[old.id].ends_at
    assert ends_at is not None
    assert timedelta(minutes=59) < ends_at - datetime.now(UTC) <= HOUR


async def test_a_rotated_key_ends_after_the_overlap(origins: OriginStore) -> None:
    old = await origins.create_key("studio")
    new = await origins.rotate(old.id, overlap=timedelta(milliseconds=50))
    assert new is not None
    await eventually(lambda: is_refused(origins, old), "the old key has ended")
    assert (await the_only(origins)).id == new.id


async def test_without_an_overlap_a_rotated_key_ends_at_once(origins: OriginStore) -> None:
    old = await origins.create_key("studio")
    assert await origins.rotate(old.id, overlap=timedelta()) is not None
    assert await is_refused(origins, old)


async def test_rotating_twice_gives_no_key_a_longer_life(origins: OriginStore) -> None:
    old = await origins.create_key("studio")
    await origins.rotate(old.id, overlap=timedelta(minutes=1))
    await origins.rotate(old.id, overlap=timedelta(days=1))
    ends_at = next(one.ends_at for one in await origins.keys() if one.id == old.id)
    assert ends_at is not None
    assert ends_at - datetime.now(UTC) <= timedelta(minutes=1)
