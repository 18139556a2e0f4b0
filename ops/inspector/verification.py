"""Whether a callback was signed by a key that we know: Standard Webhooks, v1 and v1a.

Pure: no clock and no I/O. What a sender must do is written down at
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE: Final = timedelta(seconds=300)
PREFIX: Final = "whsec_"

PUBLIC_PREFIX: Final = "whpk_"

#: More signatures than any rotation has.
_MOST_SIGNATURES: Final = 50
_LONGEST_VERSION: Final = 10
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
class Check:
    """What one signature in the header came to."""

    #: ``v1``, ``v1a`` or whatever the sender wrote.
    version: str
    #: For example ``secret 1``, by the order of the settings; None where nothing we know signed.
    by: str | None
    #: False: nobody here can check signatures of this version.
    is_checked: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding, the sentence that tells a person, and what each signature came to."""

    finding: Finding
    sentence: str
    checks: tuple[Check, ...] = ()

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


def public_key(text: str) -> Ed25519PublicKey:
    """The key inside ``whpk_<base64>``.

    Raises:
        ValueError: this is no such key.
    """
    if not text.startswith(PUBLIC_PREFIX):
        raise ValueError(f"a public key starts with {PUBLIC_PREFIX}")
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.removeprefix(PUBLIC_PREFIX)))


def verify(
    *,
    headers: Mapping[str, str],
    body: bytes,
    keys: Sequence[bytes],
    now: datetime,
    public_keys: Sequence[Ed25519PublicKey] = (),
) -> Verdict:
    """The verdict on one callback.

    ``headers`` have lower-case names, ``now`` knows its time zone. One signature that a key of
    ours made is enough; of other versions, and of keys that nobody here has, any may stand
    beside it.
    """
    if not keys and not public_keys:
        return Verdict(Finding.NO_SECRET, "No secret is set here, so nothing was checked.")
    missing = [name for name in (_ID, _TIMESTAMP, _SIGNATURE) if not headers.get(name)]
    if missing:
        return Verdict(Finding.HEADER_MISSING, f"Missing: {', '.join(missing)}.")
    return _verdict_on_time(headers[_TIMESTAMP], now) or _verdict_on_signature(
        headers, body=body, keys=keys, public_keys=public_keys
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
    headers: Mapping[str, str],
    *,
    body: bytes,
    keys: Sequence[bytes],
    public_keys: Sequence[Ed25519PublicKey],
) -> Verdict:
    # Header values are bytes that the server decoded as latin-1: this is the way back.
    signed = f"{headers[_ID]}.{headers[_TIMESTAMP]}.".encode("latin-1") + body
    expected = [_signature(key, signed) for key in keys]
    words = headers[_SIGNATURE].split()[:_MOST_SIGNATURES]
    checks = tuple(
        _check_public(word, signed, public_keys)
        if public_keys and word.startswith("v1a,")
        else _check(word, expected)
        for word in words
    )
    signers = sorted({check.by for check in checks if check.by})
    if signers:
        return Verdict(Finding.VERIFIED, f"Signature verified with {_listed(signers)}.", checks)
    return Verdict(Finding.WRONG_SIGNATURE, "No signature matches this callback.", checks)


def _check(word: str, expected: Sequence[bytes]) -> Check:
    version, _, _ = word.partition(",")
    if version != "v1" or not expected:
        return Check(version[:_LONGEST_VERSION], None, is_checked=False)
    # Compared with each, each in constant time, so that time tells nothing.
    matches = [hmac.compare_digest(ours, word.encode("latin-1")) for ours in expected]
    by = next((f"secret {n}" for n, is_ours in enumerate(matches, 1) if is_ours), None)
    return Check(version, by)


def _check_public(word: str, signed: bytes, public_keys: Sequence[Ed25519PublicKey]) -> Check:
    for n, key in enumerate(public_keys, 1):
        # What is no base64 is no signature either.
        with suppress(InvalidSignature, ValueError):
            key.verify(base64.b64decode(word.removeprefix("v1a,")), signed)
            return Check("v1a", f"public key {n}")
    return Check("v1a", None)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)


def _signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
