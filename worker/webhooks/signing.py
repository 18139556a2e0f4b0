"""Standard Webhooks signatures (https://www.standardwebhooks.com), without I/O."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime


def sign(body: bytes, *, event_id: str, at: datetime, secrets: Iterable[str]) -> dict[str, str]:
    """The headers that let a receiver verify exactly these bytes.

    Args:
        body: what is sent, byte for byte.
        event_id: the same over all attempts.
        at: the instant of this attempt.
        secrets: ``whsec_…``; each active one signs, so that a secret can be replaced.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    signatures = (f"v1,{_hmac(secret, signed)}" for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _hmac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
