"""Whether a callback was signed by a secret that we know: Standard Webhooks, version 1.

Pure: no clock and no I/O. What a sender must do is written down at
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

TOLERANCE: Final = timedelta(seconds=300)
PREFIX: Final = "whsec_"

_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
# Twelve digits last until the year 33658 and keep absurd numbers out of the arithmetic.
_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class Finding(StrEnum):
    """What was found out about a callback's signature."""

    VERIFIED = "verified"
    WRONG_SIGNATURE = "wrong signature"
    TOO_OLD = "timestamp too old"
    TOO_NEW = "timestamp too new"
    UNREADABLE_TIMESTAMP = "timestamp unreadable"
    HEADER_MISSING = "header missing"
    NO_SECRET = "no secret"  # noqa: S105 - words, not a password.


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding, and the sentence that tells a person."""

    finding: Finding
    sentence: str

    @property
    def is_verified(self) -> bool:
        return self.finding is Finding.VERIFIED


def secret_key(secret: str) -> bytes:
    """The key inside ``whsec_<base64>``; padding may be left off.

    Raises:
        ValueError: this is no such secret. The sentence does not repeat it.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"a secret starts with {PREFIX}")
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"what follows {PREFIX} is base64") from error
    if not key:
        raise ValueError(f"something follows {PREFIX}")
    return key


def verify(
    *, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: datetime
) -> Verdict:
    """The verdict on one callback.

    ``headers`` have lower-case names, ``now`` knows its time zone. Signatures of
    other versions (``v1a``) stand beside ours in the header and are passed over.
    """
    if not keys:
        return Verdict(Finding.NO_SECRET, "No secret is set here, so nothing was checked.")
    missing = [name for name in (_ID, _TIMESTAMP, _SIGNATURE) if not headers.get(name)]
    if missing:
        return Verdict(Finding.HEADER_MISSING, f"Missing: {', '.join(missing)}.")
    return _verdict_on_time(headers[_TIMESTAMP], now) or _verdict_on_signature(
        headers, body=body, keys=keys
    )


def _verdict_on_time(timestamp: str, now: datetime) -> Verdict | None:
    """None while the timestamp is near enough to ``now``."""
    if not _UNIX_SECONDS.fullmatch(timestamp):
        sentence = f"{_TIMESTAMP} is not a whole number of seconds."
        return Verdict(Finding.UNREADABLE_TIMESTAMP, sentence)
    age = now.timestamp() - int(timestamp)
    allowed = TOLERANCE.total_seconds()
    if age > allowed:
        sentence = f"The timestamp is {age:.0f} s old; {allowed:.0f} s are allowed."
        return Verdict(Finding.TOO_OLD, sentence)
    if -age > allowed:
        sentence = f"The timestamp is {-age:.0f} s ahead; {allowed:.0f} s are allowed."
        return Verdict(Finding.TOO_NEW, sentence)
    return None


def _verdict_on_signature(
    headers: Mapping[str, str], *, body: bytes, keys: Sequence[bytes]
) -> Verdict:
    # Header values are bytes that the server decoded as latin-1: this is the way back.
    signed = f"{headers[_ID]}.{headers[_TIMESTAMP]}.".encode("latin-1") + body
    expected = [_signature(key, signed) for key in keys]
    given = [word.encode("latin-1") for word in headers[_SIGNATURE].split()]
    # Every pair is compared, each in constant time, so that time tells nothing.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if any(matches):
        return Verdict(Finding.VERIFIED, "Signature verified.")
    return Verdict(Finding.WRONG_SIGNATURE, "No signature matches this callback.")


def _signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
