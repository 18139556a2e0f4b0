"""The inspector and v1a signatures, made by the ed25519 of another library."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ops.inspector.verification import Finding, Verdict, public_key, secret_key, verify
from tests.inspectors import (
    DEADLINE,
    FOREIGN_KEY,
    FOREIGN_SECRET,
    SECRET,
    SIGNING_KEY,
    a_body,
    an_inspector,
    public_text,
    signature_by,
    signed,
)

BODY = a_body()


@pytest.fixture(scope="module")
def inspector() -> Iterator[httpx.Client]:
    keys = f"{public_text(FOREIGN_KEY)} {public_text(SIGNING_KEY)}"
    with (
        an_inspector(DARKROOM_INSPECTOR_SECRET=SECRET, DARKROOM_INSPECTOR_PUBLIC_KEYS=keys) as (
            url,
            _,
        ),
        httpx.Client(base_url=url, timeout=DEADLINE, trust_env=False) as client,
    ):
        yield client


def told(inspector: httpx.Client, headers: dict[str, str]) -> dict[str, Any]:
    """What the inspector makes of a callback."""
    inspector.post("/callbacks", content=BODY, headers=headers).raise_for_status()
    found: dict[str, Any] = inspector.get("/api/callbacks").json()["callbacks"][0]
    return found


def checks(callback: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["version"], one["by"]) for one in callback["checks"]]


def test_a_callback_is_verified_by_its_secret_and_by_its_key(inspector: httpx.Client) -> None:
    headers = signed(BODY)
    headers["webhook-signature"] += " " + signature_by(SIGNING_KEY, headers, BODY)
    callback = told(inspector, headers)
    assert callback["verified"] is True
    assert checks(callback) == [("v1", "secret 1"), ("v1a", "public key 2")]


def test_either_is_enough(inspector: httpx.Client) -> None:
    headers = signed(BODY, secret=FOREIGN_SECRET)
    headers["webhook-signature"] += " " + signature_by(SIGNING_KEY, headers, BODY)
    callback = told(inspector, headers)
    assert callback["verified"] is True
    assert checks(callback) == [("v1", None), ("v1a", "public key 2")]


def verdict(signature: str, headers: dict[str, str], *, secret: str = "") -> Verdict:
    return verify(
        headers={**headers, "webhook-signature": signature},
        body=BODY,
        keys=[secret_key(secret)] if secret else [],
        public_keys=[public_key(public_text(SIGNING_KEY))],
        now=datetime.now(UTC),
    )


def test_without_a_secret_the_key_alone_decides() -> None:
    headers = signed(BODY)
    mine = signature_by(SIGNING_KEY, headers, BODY)
    assert verdict(mine, headers).finding is Finding.VERIFIED
    both = verdict(f"{headers['webhook-signature']} {mine}", headers)
    assert [(one.version, one.is_checked) for one in both.checks] == [("v1", False), ("v1a", True)]


@pytest.mark.parametrize("secret", ["", SECRET])
@pytest.mark.parametrize("forged", ["foreign", "of another body", "no base64", "short", "as v1"])
def test_what_no_key_of_ours_made_is_not_verified(forged: str, secret: str) -> None:
    headers = signed(BODY)
    mine = signature_by(SIGNING_KEY, headers, BODY)
    signature = {
        "foreign": signature_by(FOREIGN_KEY, headers, BODY),
        "of another body": signature_by(SIGNING_KEY, headers, BODY + b" "),
        "no base64": "v1a,ü%%%",
        "short": mine[:-8],
        "as v1": mine.replace("v1a,", "v1,"),
    }[forged]
    assert verdict(signature, headers, secret=secret).finding is Finding.WRONG_SIGNATURE


def test_a_key_does_not_make_an_old_callback_new() -> None:
    headers = signed(BODY, age=400)
    mine = signature_by(SIGNING_KEY, headers, BODY)
    assert verdict(mine, headers).finding is Finding.TOO_OLD
