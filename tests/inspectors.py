"""Inspectors as processes of their own, for the tests that look at them and at their page."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"the secret it had before that one").decode()
FOREIGN_SECRET = "whsec_" + base64.b64encode(b"a secret that nobody here ever had").decode()
#: Made and used with the library itself, and not with ours.
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"a seed of exactly thirty-two byt")
FOREIGN_KEY = Ed25519PrivateKey.from_private_bytes(b"another seed of thirty-two bytes")
DEADLINE = 10.0


@contextmanager
def an_inspector(
    *, port: int = 0, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running inspector: its URL and its process; stopped and waited for at the end."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "ops.inspector", "--port", str(port)],
        env=_clean_environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            yield line.removeprefix("inspector listening on ").strip(), process
        finally:
            process.terminate()
            process.wait(DEADLINE)


def _clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("DARKROOM_INSPECTOR_")}


def a_body(**differences: Any) -> bytes:
    callback = {"type": "generation.succeeded", "data": {"request_id": "gen_1"}}
    return json.dumps(callback | differences).encode()


def signed(
    body: bytes, *, secret: str = SECRET, webhook_id: str = "evt_1", age: float = 0
) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body.decode()),
    }


def public_text(key: Ed25519PrivateKey) -> str:
    return "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def signature_by(key: Ed25519PrivateKey, headers: dict[str, str], body: bytes) -> str:
    """A v1a signature, beside whatever the headers have already."""
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1a," + base64.b64encode(key.sign(said)).decode()
