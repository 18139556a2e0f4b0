"""Webhook secrets on a real server: replaced at once, gone by Redis's clock."""

from datetime import timedelta

from redis.asyncio import Redis

from generations.connection import load_script
from generations.indexes import origin_key
from generations.model import Origin, WebhookSecret
from generations.origins import MOST_SECRETS, NotRotated, OriginStore
from generations.records import in_ms

DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)


async def rotated(
    origins: OriginStore, *, overlap: timedelta, name: str = "studio"
) -> tuple[WebhookSecret, ...]:
    secrets = await origins.rotate_secret(name, overlap=overlap)
    assert not isinstance(secrets, NotRotated)
    return secrets


async def found(origins: OriginStore, name: str = "studio") -> Origin:
    origin = await origins.find(name)
    assert origin is not None
    return origin


async def test_the_new_secret_signs_at_once_and_the_old_one_until_the_overlap_ends(
    origins: OriginStore,
) -> None:
    old = (await origins.create_key("studio")).webhook_secret
    before = await origins.clock()
    secrets = await rotated(origins, overlap=DAY)
    after = await origins.clock()

    new, kept = secrets
    assert (new.ends_at, kept.secret) == (None, old)
    assert new.secret != old
    assert kept.ends_at is not None
    assert before + DAY <= kept.ends_at <= after + DAY
    origin = await found(origins)
    assert origin.webhook_secrets == secrets
    assert origin.secrets_at(kept.ends_at - timedelta.resolution) == (new.secret, old)
    assert origin.secrets_at(kept.ends_at) == (new.secret,)
    # Who gets another key meanwhile is given the secret that stays.
    assert (await origins.create_key("studio")).webhook_secret == new.secret


async def test_an_end_that_comes_sooner_stands(origins: OriginStore) -> None:
    await origins.create_key("studio")
    _, first = await rotated(origins, overlap=HOUR)
    _, second, still_first = await rotated(origins, overlap=DAY)
    assert still_first == first
    assert second.ends_at is not None
    assert first.ends_at is not None
    assert second.ends_at > first.ends_at + 22 * HOUR


async def test_without_an_overlap_nothing_of_before_signs(origins: OriginStore) -> None:
    await origins.create_key("studio")
    await rotated(origins, overlap=DAY)
    secrets = await rotated(origins, overlap=timedelta())
    assert [held.ends_at for held in secrets] == [None]


async def test_what_has_ended_is_forgotten_with_the_next_rotation(
    origins: OriginStore, store_redis: Redis
) -> None:
    now = in_ms(timedelta(seconds=(await origins.clock()).timestamp()))
    held = f"whsec_b whsec_a:{now - 1}"
    await store_redis.hset(origin_key("studio"), "created_at", "1000")
    await store_redis.hset(origin_key("studio"), "webhook_secrets", held)
    assert (await found(origins)).secrets_at(await origins.clock()) == ("whsec_b",)
    _, kept = await rotated(origins, overlap=DAY)
    assert kept.secret == "whsec_b"


async def test_so_many_sign_at_a_time_and_no_more(origins: OriginStore) -> None:
    await origins.create_key("studio")
    for _ in range(MOST_SECRETS - 1):
        secrets = await rotated(origins, overlap=DAY)
    assert len(secrets) == MOST_SECRETS
    assert await origins.rotate_secret("studio", overlap=DAY) is NotRotated.FULL
    assert (await found(origins)).webhook_secrets == secrets
    assert len(await rotated(origins, overlap=timedelta())) == 1


async def test_a_rotation_whose_answer_was_lost_happens_once(
    origins: OriginStore, store_redis: Redis
) -> None:
    await origins.create_key("studio")
    script = load_script(store_redis, "rotate_secret")
    for _ in range(2):
        await script(keys=[origin_key("studio")], args=["whsec_c", in_ms(DAY), 10])
    assert len((await found(origins)).webhook_secrets) == 2


async def test_nothing_is_rotated_for_nobody_and_nobody_else_is_touched(
    origins: OriginStore,
) -> None:
    assert await origins.rotate_secret("studio", overlap=DAY) is NotRotated.MISSING
    assert await origins.find("studio") is None
    theirs = (await origins.create_key("archive")).webhook_secret
    await origins.create_key("studio")
    await rotated(origins, overlap=DAY)
    assert (await found(origins, "archive")).webhook_secrets == (WebhookSecret(theirs),)
