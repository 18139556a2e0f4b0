"""The inspector's settings; the environment is read here and nowhere else."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from generations.secret_files import SettingsFromFiles
from ops.inspector.verification import public_key, secret_key


class InspectorSettings(SettingsFromFiles):
    """What one inspector runs with, from ``DARKROOM_INSPECTOR_*``, checked at start."""

    model_config = SettingsConfigDict(
        env_prefix="DARKROOM_INSPECTOR_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    #: One or several ``whsec_…``, separated by spaces or commas; any of them may have signed.
    secret: SecretStr | None = None
    #: One or several ``whpk_…``, written as secrets are; any of them may have signed (v1a).
    public_keys: str | None = None
    #: How many callbacks stay in memory; the oldest make room for new ones.
    keep: PositiveInt = 1000
    #: How long a callback is left unanswered when the switch says ``hang``.
    hang_seconds: PositiveFloat = 60.0

    @field_validator("secret")
    @classmethod
    def _is_readable(cls, secret: SecretStr | None) -> SecretStr | None:
        list(_keys_in(secret))
        return secret

    @field_validator("public_keys")
    @classmethod
    def _are_readable(cls, public_keys: str | None) -> str | None:
        for word in _words(public_keys):
            public_key(word)
        return public_keys

    def verifying_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The public keys of those that may have signed."""
        return tuple(public_key(word) for word in _words(self.public_keys))

    def keys(self) -> tuple[bytes, ...]:
        """The keys that may have signed; empty without a secret."""
        return tuple(_keys_in(self.secret))


def _keys_in(secret: SecretStr | None) -> Iterator[bytes]:
    for word in _words(secret.get_secret_value() if secret else None):
        yield secret_key(word)


def _words(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()
