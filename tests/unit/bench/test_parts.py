"""A part of the bench that fails is named, and the others' figures are there."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.registry import Progress


def fails(_: Progress) -> Mapping[str, float]:
    raise AssertionError("3 refused")


def hangs(_: Progress) -> Mapping[str, float]:
    asyncio.run(asyncio.sleep(3600))
    return {}


def blocks(_: Progress) -> Mapping[str, float]:
    time.sleep(3600)
    return {}


def works(progress: Progress) -> Mapping[str, float]:
    progress("as it should")
    return {"polls_per_cpu_s": 2000.0}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    parts = {"fails": fails, "hangs": hangs, "blocks": blocks, "works": works}
    monkeypatch.setattr(bench, "PARTS", parts)
    monkeypatch.setattr(bench, "LONGEST", 0.2)
    monkeypatch.setattr(bench, "REPORT", tmp_path / "build" / "bench.json")
    monkeypatch.setattr("sys.argv", ["bench"])
    return tmp_path / "build" / "bench.json"


def test_the_others_go_on(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.parent.mkdir()
    report.write_text('{"accepts_per_cpu_s": 1.0}')
    with pytest.raises(SystemExit, match="Not measured: fails, hangs, blocks"):
        bench.main()
    measured = json.loads(report.read_text())
    assert measured["polls_per_cpu_s"] == 2000.0
    assert "accepts_per_cpu_s" not in measured
    said = capsys.readouterr()
    assert "| polls per worker CPU-second | 2,000 | 2,000 |" in said.out
    assert "3 refused" in said.err
    assert "longer than" in said.err
