"""Secrets come from files where the environment names them."""

from pathlib import Path

import pytest

from generations.settings import StoreSettings, WorkerSettings, load_settings
from ops.local.settings import LocalSettings
from ops.simulator.settings import SimulatorSettings

URL = "redis://:s3cr3t@redis:6379/0"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{URL}\n")
    return file


def test_a_secret_is_what_its_file_holds(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_REDIS_URL_FILE", str(secret))
    for found in (StoreSettings().redis_url, LocalSettings().redis_url):
        assert found is not None
        assert found.get_secret_value() == URL


def test_a_name_without_our_prefix_is_read_too(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNCOMFY_API_TOKEN_FILE", str(secret))
    monkeypatch.setenv("DARKROOM_SIMULATOR_TOKEN_FILE", str(secret))
    assert load_settings(WorkerSettings).runcomfy_api_token.get_secret_value() == URL
    assert SimulatorSettings().token.get_secret_value() == URL


def test_the_environments_own_value_counts_before_the_file(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_REDIS_URL", "redis://other:6379/0")
    monkeypatch.setenv("DARKROOM_REDIS_URL_FILE", str(secret))
    assert StoreSettings().redis_url.get_secret_value() == "redis://other:6379/0"


def test_an_empty_file_sets_nothing(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_text("\n")
    monkeypatch.setenv("DARKROOM_REDIS_URL_FILE", str(secret))
    assert "redis_url" not in StoreSettings().model_fields_set


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), (b"s3cr3t \xff", "it is no UTF-8 text")],
)
def test_a_file_that_cannot_be_read_ends_the_program_in_a_sentence(
    content: bytes | None,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("RUNCOMFY_API_TOKEN_FILE", str(file))
    with pytest.raises(SystemExit) as caught:
        load_settings(WorkerSettings)
    assert caught.value.code == 2
    said = f"darkroom: RUNCOMFY_API_TOKEN_FILE names a file that cannot be read: {reason}.\n"
    assert capsys.readouterr().err == said
