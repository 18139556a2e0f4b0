"""Origins and their API keys. Keys are kept as hashes only; nothing here ever logs one."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field

from redis.asyncio import Redis

from generations.connection import key, reaching_store, read_hash
from generations.errors import Unauthorized
from generations.model import OnUncertain, Origin
from generations.records import read_origin


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; it cannot be read again."""

    origin: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


class OriginStore:
    """Who may ask, and with what their callbacks are signed."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @reaching_store
    async def create_key(self, name: str, *, on_uncertain: OnUncertain | None = None) -> NewKey:
        """A new API key for an origin, which comes to be with its first key.

        Where it is given, ``on_uncertain`` becomes the origin's choice from now on.
        """
        now = round(time.time() * 1000)
        api_key = f"dk_{secrets.token_urlsafe(32)}"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hsetnx(_origin_key(name), "created_at", str(now))
            pipe.hsetnx(_origin_key(name), "webhook_secrets", _new_secret())
            if on_uncertain is not None:
                pipe.hset(_origin_key(name), "on_uncertain", on_uncertain)
            pipe.sadd(key("origins"), name)
            pipe.hset(_api_key(api_key), mapping={"origin": name, "created_at": str(now)})
            pipe.hget(_origin_key(name), "webhook_secrets")
            *_, kept = await pipe.execute()
        return NewKey(origin=name, api_key=api_key, webhook_secret=str(kept).split()[0])

    @reaching_store
    async def origin_of(self, api_key: str) -> str:
        """The origin that a key belongs to.

        Looked up by its SHA-256: a key holds 256 random bits, so a plain hash keeps it, and
        how long the look-up takes tells nothing about it.

        Raises:
            Unauthorized: it belongs to none.
        """
        origin = await self._redis.hget(_api_key(api_key), "origin")
        if origin is None:
            raise Unauthorized
        return str(origin)

    @reaching_store
    async def find(self, name: str) -> Origin | None:
        """The origin of a name."""
        fields = await read_hash(self._redis, _origin_key(name))
        return read_origin(name, fields) if fields else None

    @reaching_store
    async def names(self) -> list[str]:
        """All origins that ever had a key."""
        return sorted(str(name) for name in await self._redis.smembers(key("origins")))


def _origin_key(name: str) -> str:
    return key(f"origin:{name}")


def _api_key(api_key: str) -> str:
    return key(f"key:{hashlib.sha256(api_key.encode()).hexdigest()}")


def _new_secret() -> str:
    # Standard Webhooks: 24 to 64 random bytes, base64 after "whsec_".
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
