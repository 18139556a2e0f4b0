"""The keys that sign callbacks beside the origins' secrets: ed25519, as Standard Webhooks has it.

A private key is written ``whsk_…``: in base64, the 32 bytes of its seed, usually with those of
its public key behind them. The public key is written ``whpk_…``.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE: Final = "whsk_"
PUBLIC: Final = "whpk_"
SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair."""

    #: The public key's 32 bytes.
    public: bytes
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of_seed(cls, seed: bytes) -> Self:
        """The pair that 32 bytes make, which must be random."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(private.public_key().public_bytes_raw(), private)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The pair that ``whsk_…`` holds.

        Raises:
            ValueError: it holds none. The sentence does not repeat it.
        """
        if not text.startswith(PRIVATE):
            raise ValueError(f"a signing key starts with {PRIVATE}")
        try:
            held = base64.b64decode(text.removeprefix(PRIVATE), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise ValueError(f"what follows {PRIVATE} is base64") from exc
        if len(held) not in {SEED_BYTES, 2 * SEED_BYTES}:
            raise ValueError(f"what follows {PRIVATE} is a seed of 32 bytes, or a pair of 64")
        key = cls.of_seed(held[:SEED_BYTES])
        if held[SEED_BYTES:] not in {b"", key.public}:
            raise ValueError("the two halves of a signing key do not belong together")
        return key

    @property
    def private_text(self) -> str:
        """``whsk_…``: a secret."""
        return _written(PRIVATE, self._private.private_bytes_raw() + self.public)

    @property
    def public_text(self) -> str:
        """``whpk_…``, for receivers."""
        return _written(PUBLIC, self.public)

    def sign(self, signed: bytes) -> bytes:
        """The signature of these bytes."""
        return self._private.sign(signed)


def parse_signing_keys(text: str) -> tuple[SigningKey, ...]:
    """The keys of a list with commas; all of them sign, so that one can be replaced.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(SigningKey.parse(part.strip()) for part in text.split(",") if part.strip())


def _written(prefix: str, held: bytes) -> str:
    return prefix + base64.b64encode(held).decode()
