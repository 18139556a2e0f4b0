"""Several processes of one program, each of which can speak for all of them."""

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from generations import metrics, siblings
from generations.siblings import Siblings
from generations.tally import Tally

ACCEPTED = '["darkroom_accepts_total", {"outcome": "accepted"}]'
spawning = multiprocessing.get_context("spawn")


def count(folder: Path, accepts: int, *, dies: bool) -> None:
    """One process's life."""
    others = Siblings(folder)
    metrics.ACCEPTS.labels("accepted").inc(accepts)
    others.write()
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    others.leave()


def run(*processes: BaseProcess) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def counted(accepts: int, folder: Path, *, dies: bool = False) -> BaseProcess:
    return spawning.Process(target=count, args=(folder, accepts), kwargs={"dies": dies})


def accepts_of(tally: Tally) -> float:
    return tally[ACCEPTED]


def test_one_speaks_for_all_and_for_the_dead(tmp_path: Path) -> None:
    own = Siblings(tmp_path / "shared")
    before = accepts_of(own.total())
    metrics.ACCEPTS.labels("accepted").inc(1)
    run(counted(10, tmp_path / "shared"), counted(100, tmp_path / "shared", dies=True))
    assert accepts_of(own.total()) - before == 111
    assert own.are_many
    own.leave()


def test_the_folder_goes_with_the_last_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    own, other = Siblings(folder), Siblings(folder)
    own.leave()
    assert folder.exists()
    other.leave()
    assert not folder.exists()


def test_one_of_them_answers_and_another_when_it_ends(tmp_path: Path) -> None:
    own, other = Siblings(tmp_path / "shared"), Siblings(tmp_path / "shared")
    assert own.speaks()
    assert own.speaks()
    assert not other.speaks()
    own.leave()
    assert other.speaks()
    other.leave()


def test_what_was_left_by_a_program_that_was_killed_is_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, kept = (tmp_path / f"{siblings.PREFIX}{name}" for name in ("left", "kept"))
    running = Siblings(kept)
    run(counted(1, left, dies=True))
    assert left.exists()
    own = Siblings.gather()
    assert not left.exists()
    assert kept.exists()
    own.leave()
    running.leave()


def test_children_of_one_process_find_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own, again = Siblings.gather(), Siblings.gather()
    assert own.folder == again.folder
    assert own.folder.stat().st_mode & 0o777 == 0o700
    own.leave()
    again.leave()
