"""Signatures as receivers check them, with the library of Standard Webhooks itself."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from generations.signing_keys import SigningKey
from worker.webhooks.signing import sign

EVENT = "evt_01JDA4B7Y0W5Y8E6T9Q2K3M4N5"
BODY = '{"type":"generation.succeeded","data":{"prompt":"ein Bär 🐻"}}'.encode()


def a_secret(size: int = 32) -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(size)).decode()}"


def signed(*keys: str, body: bytes = BODY, at: datetime | None = None) -> dict[str, str]:
    return sign(body, event_id=EVENT, at=at or datetime.now(UTC), secrets=keys)


def test_a_receiver_verifies_a_callback() -> None:
    secret = a_secret()
    assert Webhook(secret).verify(BODY, signed(secret))["type"] == "generation.succeeded"


@pytest.mark.parametrize("size", [24, 25, 26, 32, 64])
def test_any_size_of_secret_signs(size: int) -> None:
    secret = a_secret(size)
    Webhook(secret).verify(BODY, signed(secret))


@given(body=st.text().map(str.encode))
def test_any_body_is_signed_byte_for_byte(body: bytes) -> None:
    secret = a_secret()
    Webhook(secret).verify(body, signed(secret, body=body), json_parse=False)


def test_our_signature_is_the_librarys() -> None:
    secret, at = a_secret(), datetime(2026, 11, 22, 12, 0, 0, 900_000, tzinfo=UTC)
    theirs = Webhook(secret).sign(msg_id=EVENT, timestamp=at, data=BODY.decode())
    assert signed(secret, at=at)["webhook-signature"] == theirs


def test_the_instant_is_in_whole_seconds_and_is_signed() -> None:
    at = datetime(2026, 11, 22, 12, 0, 0, 900_000, tzinfo=UTC)
    headers = signed(a_secret(), at=at)
    assert headers["webhook-timestamp"] == "1795348800"
    assert headers["webhook-id"] == EVENT


def test_while_a_secret_is_replaced_both_verify() -> None:
    old, new = a_secret(), a_secret()
    headers = signed(new, old)
    assert len(headers["webhook-signature"].split(" ")) == 2
    Webhook(old).verify(BODY, headers)
    Webhook(new).verify(BODY, headers)


def test_another_secret_does_not_verify() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(a_secret()).verify(BODY, signed(a_secret()))


def test_a_changed_body_does_not_verify() -> None:
    secret = a_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.replace(b"succeeded", b"failed"), signed(secret))


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_a_changed_header_does_not_verify(header: str) -> None:
    secret = a_secret()
    headers = signed(secret)
    changed = {
        "webhook-id": "evt_2",
        "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1),
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, {**headers, header: changed[header]})


def test_an_old_callback_cannot_be_played_again() -> None:
    secret = a_secret()
    headers = signed(secret, at=datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers)


def test_every_signing_key_signs_beside_every_secret() -> None:
    old, new = SigningKey.of_seed(bytes(32)), SigningKey.of_seed(secrets.token_bytes(32))
    secret, at = a_secret(), datetime.now(UTC)
    headers = sign(BODY, event_id=EVENT, at=at, secrets=(secret,), keys=(new, old))
    Webhook(secret).verify(BODY, headers)

    versions, given = zip(
        *(s.split(",") for s in headers["webhook-signature"].split()), strict=True
    )
    assert versions == ("v1", "v1a", "v1a")
    signed = f"{EVENT}.{int(at.timestamp())}.".encode() + BODY
    for key, signature in zip((new, old), given[1:], strict=True):
        held = base64.b64decode(signature)
        Ed25519PublicKey.from_public_bytes(key.public).verify(held, signed)
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(key.public).verify(held, signed + b" ")
