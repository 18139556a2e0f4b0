"""The folder of a local stack: one ``up`` at a time, secrets for nobody else's eyes."""

import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from generations.settings import GatewaySettings
from ops.local.errors import FolderInUse
from ops.local.folder import Folder, LocalRecord, beside, store_settings


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "darkroom")


def test_what_is_written_is_read_again(folder: Folder) -> None:
    folder.make()
    record = LocalRecord(api_key=SecretStr("dk_x"), urls={"gateway": "http://127.0.0.1:8080"})
    folder.write(record)
    assert folder.read() == record


def test_the_record_is_readable_by_its_owner_only(folder: Folder) -> None:
    folder.make()
    folder.write(LocalRecord())
    folder.write(LocalRecord())
    assert stat.S_IMODE(folder.record_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_record_shows_no_secret_when_printed() -> None:
    assert "dk_x" not in repr(LocalRecord(api_key=SecretStr("dk_x")))


@pytest.mark.parametrize("text", [None, "", "{", '{"urls": 1}', "[]"])
def test_a_missing_or_broken_record_counts_as_empty(folder: Folder, text: str | None) -> None:
    folder.make()
    if text is not None:
        folder.record_file.write_text(text)
    assert folder.read() == LocalRecord()


def test_a_second_stack_on_the_same_folder_is_refused_with_the_firsts_pid(folder: Folder) -> None:
    with (
        folder.locked(),
        pytest.raises(FolderInUse, match=rf"process is {os.getpid()}.*another --folder"),
        Folder(folder.path).locked(),
    ):
        pass


def test_the_lock_ends_with_its_holder(folder: Folder) -> None:
    seen = [folder.is_locked]
    with folder.locked():
        seen.append(folder.is_locked)
    seen.append(folder.is_locked)
    assert seen == [False, True, False]
    with folder.locked():
        pass


def test_logs_of_an_earlier_run_are_gone(folder: Folder) -> None:
    folder.make()
    folder.log_of("worker").write_text("old")
    with folder.locked():
        assert folder.logs() == []


class TestWhereTheRecordsAre:
    @pytest.fixture(autouse=True)
    def _no_redis_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DARKROOM_REDIS_URL", raising=False)

    def _url(self, folder: Folder) -> str:
        return store_settings(folder).redis_url.get_secret_value()

    def test_a_running_stack_says_it(self, folder: Folder) -> None:
        with folder.locked():
            folder.write(LocalRecord(redis_url=SecretStr("redis://127.0.0.1:1/0")))
            assert self._url(folder) == "redis://127.0.0.1:1/0"

    def test_a_stack_that_ended_says_nothing(self, folder: Folder) -> None:
        folder.make()
        folder.write(LocalRecord(redis_url=SecretStr("redis://127.0.0.1:1/0")))
        assert self._url(folder) == "redis://127.0.0.1:6379/0"

    def test_the_environment_goes_first(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DARKROOM_REDIS_URL", "redis://127.0.0.1:2/0")
        with folder.locked():
            folder.write(LocalRecord(redis_url=SecretStr("redis://127.0.0.1:1/0")))
            assert self._url(folder) == "redis://127.0.0.1:2/0"

    def test_beside_a_running_stack_callbacks_may_go_to_this_machine(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DARKROOM_WEBHOOK_ALLOW", "10.1.0.0/16")
        monkeypatch.setenv("DARKROOM_WEBHOOK_HTTPS_ONLY", "true")
        with folder.locked():
            settings = beside(GatewaySettings(), folder)
            assert settings.webhook_allow == ("10.1.0.0/16", "127.0.0.1")
            assert settings.allowed.https_only
        assert beside(GatewaySettings(), folder).webhook_allow == ("10.1.0.0/16",)
