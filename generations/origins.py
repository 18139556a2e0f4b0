"""Origins and their API keys. Keys are kept as hashes only; nothing here ever logs one.

Redis keys beside those in ``indexes.py``: ``key:{SHA-256 of an API key}``, a hash (``read_key``)
that expires where the key has an end; ``keys``, a set of the SHA-256 of every key.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis

from generations.connection import PREFIX, key, load_script, reaching_store, read_hash
from generations.errors import Unauthorized
from generations.indexes import ORIGINS, origin_key
from generations.limits import Limits
from generations.model import ApiKey, OnUncertain, Origin, Scope, WebhookSecret
from generations.records import (
    from_ms,
    in_ms,
    read_key,
    read_origin,
    read_secrets,
    write_field,
    write_scopes,
)

KEYS: Final = key("keys")
#: How many webhook secrets may sign at a time, so that the header stays short.
MOST_SECRETS: Final = 10
#: How often at most it is written that a key was used.
USE_NOTED_EVERY: Final = timedelta(minutes=1)
#: What an origin's own programs need.
USUAL_SCOPES: Final = frozenset({Scope.SUBMIT, Scope.READ})


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; it cannot be read again."""

    origin: str
    id: str
    scopes: frozenset[Scope]
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


class NotRotated(StrEnum):
    """Why an origin got no new webhook secret."""

    MISSING = "missing"  #: There is no such origin.
    FULL = "full"  #: Ten secrets sign already; the first of them has to end before.


class OriginStore:
    """Who may ask, and with what their callbacks are signed."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._note_use = load_script(redis, "note_use")
        self._limit = load_script(redis, "line", "limit")
        self._rotate_secret = load_script(redis, "rotate_secret")

    @reaching_store
    async def create_key(
        self,
        name: str,
        *,
        scopes: Collection[Scope] = USUAL_SCOPES,
        called: str | None = None,
        on_uncertain: OnUncertain | None = None,
        preflight: bool | None = None,
    ) -> NewKey:
        """A new API key for an origin, which comes to be with its first key.

        Args:
            name: the origin's.
            called: what the key is called in lists.
            on_uncertain: where it is given, the origin's choice from now on.
            preflight: the same, of whether images are looked at before a submission.
        """
        now = round(time.time() * 1000)
        api_key = f"dk_{secrets.token_urlsafe(32)}"
        sha = _sha(api_key)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hsetnx(origin_key(name), "created_at", str(now))
            pipe.hsetnx(origin_key(name), "webhook_secrets", _new_secret())
            if on_uncertain is not None:
                pipe.hset(origin_key(name), "on_uncertain", on_uncertain)
            if preflight is not None:
                pipe.hset(origin_key(name), "preflight", "1" if preflight else "0")
            pipe.sadd(ORIGINS, name)
            pipe.hset(
                _key_of(sha),
                mapping={
                    "origin": name,
                    "scopes": write_scopes(scopes),
                    "created_at": str(now),
                    "name": called or "",
                },
            )
            pipe.sadd(KEYS, sha)
            pipe.hget(origin_key(name), "webhook_secrets")
            *_, kept = await pipe.execute()
        newest = read_secrets(str(kept))[0]
        return NewKey(name, _id(sha), frozenset(scopes), api_key, newest.secret)

    @reaching_store
    async def find_key(self, api_key: str) -> ApiKey:
        """What is known of a key that was sent.

        Looked up by its SHA-256: a key holds 256 random bits, so a plain hash keeps it, and
        how long the look-up takes tells nothing about it: nobody can choose a key whose hash
        is alike. Read anew each time, so that a key that is revoked is refused at once.

        Raises:
            Unauthorized: there is no such key.
        """
        sha = _sha(api_key)
        fields = await read_hash(self._redis, _key_of(sha))
        if not fields:
            raise Unauthorized
        return read_key(_id(sha), fields, ends_ms=-1)

    @reaching_store
    async def note_use(self, api_key: str) -> None:
        """Keep the minute in which a key was used last."""
        sha = _sha(api_key)
        await self._note_use(keys=[_key_of(sha), KEYS], args=[sha, in_ms(USE_NOTED_EVERY)])

    @reaching_store
    async def keys(self, origin: str | None = None) -> list[ApiKey]:
        """The keys of an origin, or all, in the order of their making.

        One that was made before keys had ids is there once it was used.
        """
        found = [one for _, one in await self._all_keys() if origin in {None, one.origin}]
        return sorted(found, key=lambda one: (one.origin, one.created_at, one.id))

    @reaching_store
    async def revoke(self, key_id: str) -> bool:
        """End a key now; False where there is none."""
        sha = await self._sha_of(key_id)
        if sha is None:
            return False
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(_key_of(sha))
            pipe.srem(KEYS, sha)
            gone, _ = await pipe.execute()
        return bool(gone)

    @reaching_store
    async def rotate(self, key_id: str, *, overlap: timedelta) -> NewKey | None:
        """A new key like an old one, which ends after the overlap; None where there is none."""
        sha = await self._sha_of(key_id)
        fields = await read_hash(self._redis, _key_of(sha)) if sha else {}
        if sha is None or not fields:
            return None
        old = read_key(key_id, fields, ends_ms=-1)
        new = await self.create_key(old.origin, scopes=old.scopes, called=old.name)
        # An end that comes sooner stands.
        await self._redis.pexpire(_key_of(sha), in_ms(overlap), lt=True)
        return new

    @reaching_store
    async def rotate_secret(
        self, name: str, *, overlap: timedelta
    ) -> tuple[WebhookSecret, ...] | NotRotated:
        """Give an origin a new webhook secret, which signs at once; all that sign, it first.

        Those before it go on for the overlap, or until their own end where that comes sooner.
        """
        outcome, secrets_held = await self._rotate_secret(
            keys=[origin_key(name)], args=[_new_secret(), in_ms(overlap), MOST_SECRETS]
        )
        if outcome != "rotated":
            return NotRotated(outcome)
        return read_secrets(secrets_held)

    @reaching_store
    async def clock(self) -> datetime:
        """This instant on Redis's clock, by which secrets end."""
        seconds, micros = await self._redis.time()
        return from_ms(int(seconds) * 1000 + int(micros) // 1000)

    async def _all_keys(self) -> list[tuple[str, ApiKey]]:
        shas = [str(sha) for sha in await self._redis.smembers(KEYS)]
        async with self._redis.pipeline(transaction=False) as pipe:
            for sha in shas:
                pipe.hgetall(_key_of(sha))
                pipe.pexpiretime(_key_of(sha))
            found = await pipe.execute()
        of_each = zip(shas, found[::2], found[1::2], strict=True)
        return [
            (sha, read_key(_id(sha), fields, ends_ms=int(ends_ms)))
            for sha, fields, ends_ms in of_each
            if fields  # The others have ended.
        ]

    async def _sha_of(self, key_id: str) -> str | None:
        shas = (sha for sha, one in await self._all_keys() if one.id == key_id)
        return next(shas, None)

    @reaching_store
    async def find(self, name: str) -> Origin | None:
        """The origin of a name."""
        fields = await read_hash(self._redis, origin_key(name))
        return read_origin(name, fields) if fields else None

    @reaching_store
    async def limit(self, name: str, limits: Limits) -> None:
        """Set all limits of an origin that exists; they hold at once."""
        fields = {name: write_field(name, value) for name, value in asdict(limits).items()}
        await self._limit(args=[PREFIX, name, *(part for pair in fields.items() for part in pair)])

    @reaching_store
    async def names(self) -> list[str]:
        """All origins that ever had a key."""
        return sorted(str(name) for name in await self._redis.smembers(ORIGINS))


def _sha(api_key: str) -> str:
    return hashlib.sha256(api_key.encode()).hexdigest()


def _key_of(sha: str) -> str:
    return key(f"key:{sha}")


def _id(sha: str) -> str:
    # A part of the hash: it gives nothing of the key away, and keys from before there were
    # ids have one too.
    return f"key_{sha[:24]}"


def _new_secret() -> str:
    # Standard Webhooks: 24 to 64 random bytes, base64 after "whsec_".
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
