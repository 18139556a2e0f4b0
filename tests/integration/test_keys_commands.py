"""``darkroom keys`` over a real server."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.gateway_process import ROOT, environment


@pytest.fixture
def keys(redis_url: str) -> Any:
    """Runs ``darkroom keys``."""

    def run(*arguments: str, code: int = 0) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "ops.cli", "keys", *arguments],
            env=environment(REDIS_URL=redis_url),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        return ended.stdout

    return run


def test_a_key_is_made_listed_rotated_and_revoked(keys: Any) -> None:
    made = json.loads(keys("create", "studio", "--scope", "read", "--name", "board", "--json"))
    assert made["scopes"] == ["read"]
    (listed,) = json.loads(keys("list", "--json"))["keys"]
    assert listed["id"] == made["id"]
    assert listed["name"] == "board"
    assert listed["last_used_at"] is None
    assert made["api_key"] not in keys("list")

    new = json.loads(keys("rotate", made["id"], "--overlap", "90m", "--json"))
    assert new["scopes"] == ["read"]
    ends = {one["id"]: one["ends_at"] for one in json.loads(keys("list", "--json"))["keys"]}
    assert ends[made["id"]]
    assert ends[new["id"]] is None

    assert json.loads(keys("revoke", made["id"], "--json")) == {"id": made["id"], "revoked": True}
    assert [one["id"] for one in json.loads(keys("list", "studio", "--json"))["keys"]] == [
        new["id"]
    ]
    assert keys("list", "archive") == "No keys.\n"


def test_a_new_key_is_shown_with_its_id_and_scopes(keys: Any) -> None:
    shown = keys("create", "studio")
    assert "dk_" in shown
    assert "whsec_" in shown
    assert "(read, submit)" in shown


def test_a_key_that_is_not_there_ends_the_command_with_1(keys: Any) -> None:
    assert json.loads(keys("revoke", "key_0", "--json", code=1))["revoked"] is False
    keys("rotate", "key_0", code=1)


@pytest.mark.parametrize("overlap", ["soon", "-1h", "24", "1y"])
def test_an_overlap_that_is_no_span_is_refused(overlap: str, keys: Any) -> None:
    keys("rotate", "key_0", f"--overlap={overlap}", code=2)


def test_limits_are_set_shown_and_removed(keys: Any) -> None:
    keys("create", "studio")
    given = ("--accepts-per-second", "2.5", "--max-in-flight", "3", "--weight", "0.5", "--json")
    wanted = {
        "accepts_per_second": 2.5,
        "max_unfinished": None,
        "max_in_flight": 3,
        "weight": 0.5,
    }
    assert json.loads(keys("limits", "studio", *given)) == {"origin": "studio", **wanted}
    assert json.loads(keys("list", "--json"))["limits"] == {"studio": wanted}
    assert "studio: accepts_per_second 2.5, max_in_flight 3, weight 0.5" in keys("list")
    keys("limits", "studio", "--accepts-per-second", "none", "--max-unfinished", "9")
    shown = keys("limits", "studio")
    assert [line.split() for line in shown.splitlines()] == [
        ["accepts_per_second", "none"],
        ["max_unfinished", "9"],
        ["max_in_flight", "3"],
        ["weight", "0.5"],
    ]
    keys("limits", "studio", "--max-in-flight=0", "--max-unfinished=0", "--weight=none")
    assert json.loads(keys("list", "--json"))["limits"] == {}


def test_an_origin_that_is_not_there_has_no_limits(keys: Any) -> None:
    keys("limits", "nobody", "--max-in-flight", "1", code=1)
    assert keys("list") == "No keys.\n"


@pytest.mark.parametrize("number", ["-1", "many", "nan", "inf", "1e12", "1.5"])
def test_a_limit_that_is_no_number_is_refused(number: str, keys: Any) -> None:
    keys("limits", "studio", f"--max-in-flight={number}", code=2)


@pytest.mark.parametrize("number", ["-1", "0.001", "101", "heavy"])
def test_a_weight_that_starves_somebody_is_refused(number: str, keys: Any) -> None:
    keys("limits", "studio", f"--weight={number}", code=2)
