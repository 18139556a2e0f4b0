"""Receivers that verify callbacks with libraries of others, in Python and in JavaScript."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from tests.acceptance.receiver import Callback
from tests.needs import need

SOURCES: Final = Path(__file__).parents[1] / "node"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """For each callback in turn: which of the secrets, and which of the keys, verify it."""

    v1: list[list[bool]]
    v1a: list[list[bool]]


def in_python(callbacks: Sequence[Callback], secrets: Sequence[str], jwks: Any) -> Verdicts:
    """With ``standardwebhooks`` and ``cryptography``."""
    return Verdicts(
        v1=[[_has_v1(secret, callback) for secret in secrets] for callback in callbacks],
        v1a=[[_has_v1a(jwk, callback) for jwk in jwks["keys"]] for callback in callbacks],
    )


def _has_v1(secret: str, callback: Callback) -> bool:
    try:
        Webhook(secret).verify(callback.raw, callback.headers)
    except WebhookVerificationError:
        return False
    return True


def _has_v1a(jwk: dict[str, str], callback: Callback) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
    signed = f"{callback.event_id}.{callback.timestamp}.".encode() + callback.raw
    given = (word.split(",", 1) for word in callback.headers["webhook-signature"].split())
    return any(
        _is_signature(key, base64.b64decode(signature), signed)
        for version, signature in given
        if version == "v1a"
    )


def _is_signature(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


class Node:
    """The npm package ``standardwebhooks`` and Node's own crypto."""

    def __init__(self, folder: Path) -> None:
        self._node, npm = need("node"), need("npm")
        self._folder = folder
        for source in SOURCES.iterdir():
            if source.is_file():
                shutil.copy(source, folder)
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        self._run(install)

    def verdicts(
        self, callbacks: Sequence[Callback], secrets: Sequence[str], jwks: Any
    ) -> Verdicts:
        """As :func:`in_python`."""
        deliveries = [
            {"headers": one.headers, "body": base64.b64encode(one.raw).decode()}
            for one in callbacks
        ]
        asked = {"deliveries": deliveries, "secrets": list(secrets), "jwks": jwks}
        return Verdicts(**json.loads(self._run([self._node, "verify.mjs"], json.dumps(asked))))

    def _run(self, command: list[str], told: str = "") -> str:
        ended = subprocess.run(
            command,
            cwd=self._folder,
            input=told,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
