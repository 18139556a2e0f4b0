"""The doctor's own judgements; those of a server are in ``generations/durability.py``."""

import os
from typing import Any

import pytest

from generations.durability import Level
from ops.doctor.runcomfy import judge_answer, judge_balance
from ops.doctor.servers import judge_clock, judge_latency
from ops.doctor.settings import HIDDEN, examine_settings, settings_now


def test_a_distant_server_is_a_warning() -> None:
    finding = judge_latency(40.0)
    assert (finding.level, finding.says) == (Level.WARNING, "40.0 ms a round trip")


def test_a_near_server_is_well() -> None:
    assert judge_latency(0.4).level is Level.OK


@pytest.mark.parametrize(
    ("skew", "level", "said"),
    [
        (0.4, Level.OK, "0.4 s ahead of"),
        (-1.9, Level.OK, "1.9 s behind"),
        (-10.0, Level.WARNING, "10.0 s behind"),
        (200.0, Level.PROBLEM, "200.0 s ahead of"),
    ],
)
def test_clocks_that_differ_are_told(skew: float, level: Level, said: str) -> None:
    finding = judge_clock(skew)
    assert finding.level is level
    assert said in finding.says
    assert bool(finding.advice) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("status_code", "body", "levels"),
    [
        (200, {"models": []}, {"runcomfy": Level.OK, "token": Level.OK}),
        (401, {}, {"runcomfy": Level.OK, "token": Level.PROBLEM}),
        (400, {"error_code": 400004}, {"runcomfy": Level.OK, "token": Level.PROBLEM}),
        (200, {"error_code": 400004}, {"runcomfy": Level.OK, "token": Level.PROBLEM}),
        (429, {}, {"runcomfy": Level.WARNING}),
        (503, {}, {"runcomfy": Level.WARNING}),
        (404, {}, {"runcomfy": Level.PROBLEM}),
    ],
)
def test_runcomfys_answer_tells_whether_it_takes_the_token(
    status_code: int, body: dict[str, Any], levels: dict[str, Level]
) -> None:
    found = judge_answer("model-api.runcomfy.net", status_code, body)
    assert {finding.check: finding.level for finding in found} == levels


@pytest.mark.parametrize(
    ("balance", "level"),
    [(120.5, Level.OK), (1.25, Level.WARNING), (0, Level.PROBLEM), (None, Level.WARNING)],
)
def test_an_empty_account_is_a_problem(balance: float | None, level: Level) -> None:
    finding = judge_balance(balance, "HTTP 200")
    assert finding.level is level
    assert bool(finding.advice) == (level is not Level.OK)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One without settings of ours."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "RUNCOMFY_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_an_environment_that_sets_nothing_is_well() -> None:
    assert [finding.level for finding in examine_settings(os.environ)] == [Level.OK]


def test_a_misspelt_setting_is_told_with_what_was_meant(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DARKROOM_DEDLINE", "PT1H")
    (finding,) = examine_settings(os.environ)
    assert finding.level is Level.WARNING
    assert finding.advice == "Did you mean DARKROOM_DEADLINE?"


def test_a_value_that_is_not_valid_is_a_problem_and_not_shown(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("DARKROOM_REDIS_URL", "http://s3cr3t@host")
    found = examine_settings(os.environ)
    assert {finding.level for finding in found} == {Level.PROBLEM}
    assert "DARKROOM_REDIS_URL is not valid" in found[0].advice
    assert "s3cr3t" not in str(found)


def test_every_setting_is_explained_and_no_secret_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNCOMFY_API_TOKEN", "s3cr3t")
    environment.setenv("DARKROOM_KEEP", "P1D")
    settings = {one.name: one for one in settings_now(os.environ)}
    assert [name for name, one in settings.items() if not one.means] == []
    assert settings["RUNCOMFY_API_TOKEN"].value == HIDDEN
    assert (settings["DARKROOM_KEEP"].value, settings["DARKROOM_KEEP"].is_set) == ("P1D", True)
    assert settings["DARKROOM_DEADLINE"].value == "86400"
