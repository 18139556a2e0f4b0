"""Origins on a real server: keys that cannot be read back, and secrets that stay."""

import base64
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from generations.errors import Unauthorized
from generations.model import OnUncertain, WebhookSecret
from generations.origins import OriginStore


async def whole_database(redis: Redis) -> AsyncIterator[str]:
    """Every name, field and value that the server keeps."""
    async for name in redis.scan_iter():
        yield str(name)
        kind = await redis.type(name)
        if kind == "hash":
            yield str(await redis.hgetall(name))
        else:
            assert kind == "set", f"{name!r} is a {kind!r}: read it here too"
            yield str(await redis.smembers(name))


async def test_a_key_belongs_to_its_origin(origins: OriginStore) -> None:
    studio, archive = await origins.create_key("studio"), await origins.create_key("archive")
    assert (await origins.find_key(studio.api_key)).origin == "studio"
    assert (await origins.find_key(archive.api_key)).origin == "archive"


async def test_almost_a_key_is_none(origins: OriginStore) -> None:
    key = (await origins.create_key("studio")).api_key
    for almost in (key.upper(), f" {key}", f"{key}\n", key[:-1], f"{key}A", key[::-1]):
        with pytest.raises(Unauthorized):
            await origins.find_key(almost)


@pytest.mark.parametrize("text", ["", "dk_", "studio", "*", "dk_" + "a" * 43, "\x00", "🐻"])
async def test_what_is_no_key_belongs_to_nobody(text: str, origins: OriginStore) -> None:
    await origins.create_key("studio")
    with pytest.raises(Unauthorized):
        await origins.find_key(text)


async def test_a_key_is_kept_as_a_hash_only(origins: OriginStore, store_redis: Redis) -> None:
    made = [await origins.create_key("studio") for _ in range(3)]
    kept = "\n".join([text async for text in whole_database(store_redis)])
    assert "studio" in kept
    for new in made:
        assert new.api_key not in kept
        assert new.api_key.removeprefix("dk_") not in kept


async def test_another_key_of_an_origin_keeps_its_secret(origins: OriginStore) -> None:
    first, second = await origins.create_key("studio"), await origins.create_key("studio")
    assert first.api_key != second.api_key
    assert first.webhook_secret == second.webhook_secret
    for made in (first, second):
        assert (await origins.find_key(made.api_key)).origin == "studio"
    origin = await origins.find("studio")
    assert origin is not None
    assert origin.webhook_secrets == (WebhookSecret(first.webhook_secret),)


async def test_two_origins_share_nothing(origins: OriginStore) -> None:
    studio, archive = await origins.create_key("studio"), await origins.create_key("archive")
    assert studio.api_key != archive.api_key
    assert studio.webhook_secret != archive.webhook_secret


async def test_a_secret_is_what_standard_webhooks_asks_for(origins: OriginStore) -> None:
    made = await origins.create_key("studio")
    assert made.webhook_secret.startswith("whsec_")
    secret = base64.b64decode(made.webhook_secret.removeprefix("whsec_"), validate=True)
    assert 24 <= len(secret) <= 64
    assert len(made.api_key) >= 43


async def test_a_new_key_shows_neither_itself_nor_the_secret(origins: OriginStore) -> None:
    made = await origins.create_key("studio")
    assert made.api_key not in repr(made)
    assert made.webhook_secret not in repr(made)


async def test_all_origins_are_listed_by_name(origins: OriginStore) -> None:
    assert await origins.names() == []
    for name in ("studio", "archive", "studio"):
        await origins.create_key(name)
    assert await origins.names() == ["archive", "studio"]
    assert await origins.find("nobody") is None


async def test_an_origin_chooses_what_to_do_when_a_submission_is_uncertain(
    origins: OriginStore,
) -> None:
    async def choice() -> OnUncertain | None:
        origin = await origins.find("studio")
        return origin.on_uncertain if origin else None

    await origins.create_key("studio")
    assert await choice() is OnUncertain.FAIL
    await origins.create_key("studio", on_uncertain=OnUncertain.RESUBMIT)
    assert await choice() is OnUncertain.RESUBMIT
    await origins.create_key("studio")
    assert await choice() is OnUncertain.RESUBMIT
