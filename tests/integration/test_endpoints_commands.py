"""``darkroom endpoints`` and the secrets of ``darkroom keys``, over a real server."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from generations.signing_keys import SigningKey
from ops.cli import app

URL = "https://studio.example/callbacks"
HEADER = "Authorization: Bearer s3cret"


@pytest.fixture
def darkroom(redis_url: str) -> Any:
    """Runs ``darkroom``, and returns both that it says."""

    def run(*arguments: str, code: int = 0) -> str:
        settings = {"DARKROOM_REDIS_URL": redis_url, "DARKROOM_WEBHOOK_ALLOW": "10.1.0.0/16"}
        ended = CliRunner().invoke(app, arguments, env=settings)
        assert ended.exit_code == code, ended.output
        return ended.output

    return run


def test_an_endpoint_is_set_listed_and_removed_and_its_header_is_never_shown(
    darkroom: Any,
) -> None:
    assert "no origin studio" in darkroom("endpoints", "set", "studio", URL, code=1)
    darkroom("keys", "create", "studio")

    said = darkroom("endpoints", "set", "studio", URL, "--default", "--header", HEADER)
    shown = f"studio  {URL}  (default)  with Authorization\n"
    assert said == darkroom("endpoints", "list") == shown
    as_json = json.loads(darkroom("endpoints", "list", "studio", "--json"))
    row = {"origin": "studio", "url": URL, "default": True, "headers": ["Authorization"]}
    assert as_json == {"endpoints": [row]}

    changed = json.loads(
        darkroom("endpoints", "set", "studio", URL, "--no-default", "--no-headers", "--json")
    )
    assert changed == {"endpoints": [{**row, "default": False, "headers": []}]}

    removed = json.loads(darkroom("endpoints", "remove", "studio", URL, "--json"))
    assert removed == {"origin": "studio", "url": URL, "removed": True}
    assert "no such endpoint" in darkroom("endpoints", "remove", "studio", URL, code=1)
    assert darkroom("endpoints", "list") == "No endpoints.\n"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1/", 1),
        ("http://0x7f.1/", 1),
        ("http://169.254.169.254/latest", 1),
        ("ftp://studio.example/", 1),
        ("studio.example", 1),
        ("http://10.1.2.3/callbacks", 0),
    ],
)
def test_an_address_is_checked_as_one_that_a_generation_names(
    url: str, code: int, darkroom: Any
) -> None:
    darkroom("keys", "create", "studio")
    said = darkroom("endpoints", "set", "studio", url, "--default", code=code)
    assert "Traceback" not in said
    assert (darkroom("endpoints", "list") == "No endpoints.\n") == bool(code)


@pytest.mark.parametrize(
    "header",
    ["webhook-id: s3cret", "Host:s3cret", "no colon s3cret", "X-Key: s3cret\r\nHost: x", "X-Key:"],
)
def test_a_header_that_may_not_be_sent_is_refused(header: str, darkroom: Any) -> None:
    darkroom("keys", "create", "studio")
    said = darkroom("endpoints", "set", "studio", URL, "--header", header, code=2)
    assert "s3cret" not in said
    assert darkroom("endpoints", "list") == "No endpoints.\n"


def test_a_secret_is_rotated_and_the_list_tells_of_the_overlap_alone(darkroom: Any) -> None:
    assert "no origin studio" in darkroom("keys", "rotate-secret", "studio", code=1)
    old = json.loads(darkroom("keys", "create", "studio", "--json"))["webhook_secret"]
    assert json.loads(darkroom("keys", "list", "--json"))["old_secrets_end_at"] == {}

    told = json.loads(darkroom("keys", "rotate-secret", "studio", "--overlap", "2h", "--json"))
    assert told["webhook_secret"] not in {old, ""}
    listed = json.loads(darkroom("keys", "list", "--json"))
    assert listed["old_secrets_end_at"] == {"studio": told["old_secrets_end_at"]}
    assert len(told["old_secrets_end_at"]) == 1
    shown = darkroom("keys", "list")
    assert "studio: an old webhook secret signs until " in shown
    assert "whsec_" not in shown

    said = darkroom("keys", "rotate-secret", "studio", "--overlap", "0s")
    assert "signs no more" in said
    assert "old webhook secret" not in darkroom("keys", "list")


def test_a_signing_key_is_made_with_both_its_halves(darkroom: Any) -> None:
    made = json.loads(darkroom("keys", "signing-key", "--json"))
    assert SigningKey.parse(made["private"]).public_text == made["public"]
    said = darkroom("keys", "signing-key")
    assert "whsk_" in said
    assert "whpk_" in said
