"""The command line without anything behind it."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ops.cli import app

HEAVY = ("asyncio", "celery", "fastapi", "httpx", "pydantic", "redis", "structlog")


def test_the_command_loads_nothing_heavy_before_it_knows_what_to_do() -> None:
    code = f"import sys, ops.cli; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    for command in (
        "up",
        "demo",
        "gateway",
        "worker",
        "simulator",
        "inspector",
        "doctor",
        "submit",
    ):
        assert command in text


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 65, "ä"])
def test_an_origins_name_that_would_not_do_is_refused(name: str) -> None:
    result = CliRunner().invoke(app, ["keys", "create", "--", name])
    assert result.exit_code == 2
    assert "origin" in result.output


def test_a_setting_that_is_not_valid_is_named_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DARKROOM_GATEWAY_PORT", "nonsense")
    result = CliRunner().invoke(app, ["gateway"])
    assert result.exit_code == 1
    assert result.output.startswith("darkroom: DARKROOM_GATEWAY_PORT is not valid")
