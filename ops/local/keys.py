"""The keys of a local stack: made at its first start, kept in its folder, checked at later ones."""

import secrets
from typing import Final

from pydantic import SecretStr

from generations.connection import connect
from generations.errors import Unauthorized
from generations.origins import OriginStore
from generations.signing_keys import SEED_BYTES, SigningKey
from ops.local.folder import LocalRecord

ORIGIN: Final = "local"
FLOWER_USER: Final = "darkroom"


async def with_keys(record: LocalRecord, redis_url: str) -> LocalRecord:
    """The record with a key that the store knows, the kept one if it does, and the rest."""
    redis = connect(redis_url, max_connections=2)
    try:
        api_key, webhook_secret = await _keys_of(OriginStore(redis), record)
    finally:
        await redis.aclose()
    made = {
        "flower_login": SecretStr(f"{FLOWER_USER}:{secrets.token_urlsafe(18)}"),
        "simulator_token": SecretStr(secrets.token_urlsafe(24)),
        "signing_key": SecretStr(_new_signing_key()),
    }
    kept = {name: getattr(record, name) or value for name, value in made.items()}
    return record.model_copy(
        update={
            **kept,
            "api_key": SecretStr(api_key),
            "webhook_secret": SecretStr(webhook_secret),
            "redis_url": SecretStr(redis_url),
        }
    )


def _new_signing_key() -> str:
    return SigningKey.of_seed(secrets.token_bytes(SEED_BYTES)).private_text


async def _keys_of(origins: OriginStore, record: LocalRecord) -> tuple[str, str]:
    api_key = opened(record.api_key)
    try:
        known = (await origins.find_key(api_key)).origin
    except Unauthorized:
        new = await origins.create_key(ORIGIN)
        return new.api_key, new.webhook_secret
    origin = await origins.find(known)
    return api_key, " ".join(held.secret for held in origin.webhook_secrets) if origin else ""


def opened(secret: SecretStr | None) -> str:
    """What a secret says; nothing where there is none."""
    return secret.get_secret_value() if secret else ""
