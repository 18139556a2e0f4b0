"""Standard Webhooks signatures (https://www.standardwebhooks.com), without I/O."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from generations.signing_keys import SigningKey


def sign(
    body: bytes,
    *,
    event_id: str,
    at: datetime,
    secrets: Iterable[str],
    keys: Iterable[SigningKey] = (),
) -> dict[str, str]:
    """The headers that let a receiver verify exactly these bytes.

    Args:
        body: what is sent, byte for byte.
        event_id: the same over all attempts.
        at: the instant of this attempt.
        secrets: ``whsec_…``; each active one signs (v1), so that a secret can be replaced.
        keys: each of them signs too (v1a), for receivers that only know the public ones.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    # v1 first: some receivers look at the first one only.
    signatures = [f"v1,{_base64(_hmac(secret, signed))}" for secret in secrets]
    signatures += [f"v1a,{_base64(key.sign(signed))}" for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _hmac(secret: str, signed: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return hmac.new(key, signed, hashlib.sha256).digest()


def _base64(signature: bytes) -> str:
    return base64.b64encode(signature).decode()
