"""The public keys with which receivers verify callbacks: told by workers, shown by the gateway.

The private ones are in the workers' settings and nowhere else.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from generations.connection import key, load_script, reaching_store
from generations.records import dump_json, in_ms

PUBLISHED: Final = key("signing_keys")
#: How long a key is shown after the last worker was seen that signs with it: as long as a
#: receiver may take to work through what it has put aside.
KEPT: Final = timedelta(days=7)


class PublicKeys:
    """The keys that are shown. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._publish = load_script(redis, "publish_keys")
        self._published = load_script(redis, "published_keys")

    @reaching_store
    async def publish(self, public: Iterable[bytes]) -> None:
        """Show keys from now on, for as long as this is repeated and a while after."""
        await self._publish(keys=[PUBLISHED], args=[in_ms(KEPT), *map(_base64url, public)])

    @reaching_store
    async def published(self) -> list[Mapping[str, str]]:
        """The keys as JWKs (RFC 8037), the newest first."""
        found = await self._published(keys=[PUBLISHED], args=[in_ms(KEPT)])
        return [jwk(str(x)) for x in found]


def jwk(x: str) -> Mapping[str, str]:
    """A public key, in base64url, as JWK; its id is its thumbprint (RFC 7638)."""
    named = {"crv": "Ed25519", "kty": "OKP", "x": x}
    kid = _base64url(hashlib.sha256(dump_json(named).encode()).digest())
    return {**named, "kid": kid, "alg": "EdDSA", "use": "sig"}


def _base64url(held: bytes) -> str:
    return base64.urlsafe_b64encode(held).rstrip(b"=").decode()
