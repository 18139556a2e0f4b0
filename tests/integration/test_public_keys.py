"""Public keys: told by workers, shown by the gateway to whoever asks."""

import base64
import secrets
from datetime import timedelta

import httpx
from redis.asyncio import Redis

from generations.public_keys import KEPT, PUBLISHED, PublicKeys
from generations.records import in_ms

PATH = "/.well-known/jwks.json"


async def shown(stranger: httpx.AsyncClient) -> list[bytes]:
    """The keys that the gateway shows, raw."""
    answer = await stranger.get(PATH)
    assert answer.status_code == 200
    keys = answer.json()["keys"]
    return [base64.urlsafe_b64decode(key["x"] + "=") for key in keys]


async def test_nobody_signs_with_a_key_where_none_is_set(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get(PATH)
    assert answer.json() == {"keys": []}


async def test_keys_are_shown_to_anybody_as_a_jwk_set(
    stranger: httpx.AsyncClient, store_redis: Redis
) -> None:
    public = secrets.token_bytes(32)
    await PublicKeys(store_redis).publish([public])
    answer = await stranger.get(PATH)
    (key,) = answer.json()["keys"]
    x = base64.urlsafe_b64encode(public).decode().rstrip("=")
    kid = key.pop("kid")
    assert key == {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig"}
    assert len(base64.urlsafe_b64decode(kid + "=")) == 32
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"


async def test_a_key_is_shown_for_a_while_after_it_was_last_seen(
    stranger: httpx.AsyncClient, store_redis: Redis
) -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    keys = PublicKeys(store_redis)
    await keys.publish([old])
    await age(store_redis, KEPT - timedelta(minutes=1))
    await keys.publish([new])
    assert await shown(stranger) == [new, old]

    await age(store_redis, timedelta(minutes=2))
    assert await shown(stranger) == [new]
    assert await store_redis.zcard(PUBLISHED) == 2
    await keys.publish([new])
    assert await store_redis.zcard(PUBLISHED) == 1


async def age(redis: Redis, by: timedelta) -> None:
    """Let all keys have been seen so much earlier."""
    for member in await redis.zrange(PUBLISHED, 0, -1):
        await redis.zincrby(PUBLISHED, -in_ms(by), str(member))
