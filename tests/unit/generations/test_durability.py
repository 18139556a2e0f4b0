"""Whether a server is durable, judged from what it says of itself."""

from typing import Any

import pytest

from generations.durability import Level, judge_server, judge_version

VALKEY = {"redis_version": "7.2.4", "valkey_version": "9.1.2"}
DURABLE = {**VALKEY, "aof_enabled": 1, "maxmemory_policy": "noeviction"}


def problems(facts: dict[str, Any], fsync: str | None = "always") -> set[str]:
    """The checks that are not well."""
    findings = judge_server(facts, fsync)
    assert all(finding.advice for finding in findings if finding.level is not Level.OK)
    return {finding.check for finding in findings if finding.level is Level.PROBLEM}


def test_a_durable_server_is_well() -> None:
    assert problems(DURABLE) == set()


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"redis_version": "7.2.0"}, Level.OK),
        ({"redis_version": "8.0.1"}, Level.OK),
        ({"redis_version": "7.0.15"}, Level.PROBLEM),
        ({"redis_version": "6.2.14"}, Level.PROBLEM),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.1"}, Level.OK),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.8"}, Level.PROBLEM),
        ({"redis_version": "7.2.4", "valkey_version": "10.0.0-rc1"}, Level.OK),
    ],
)
def test_a_server_is_judged_by_its_own_version(facts: dict[str, str], level: Level) -> None:
    assert judge_version(facts).level is level


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"aof_enabled": 0}, "appendonly"),
        ({"aof_last_write_status": "err"}, "appendonly"),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy"),
    ],
)
def test_what_loses_generations_is_a_problem(change: dict[str, Any], check: str) -> None:
    assert problems({**DURABLE, **change}) == {check}


@pytest.mark.parametrize(
    ("facts", "warned"),
    [
        ({}, False),
        ({"connected_slaves": 0}, False),
        ({"connected_slaves": 1}, True),
        ({"connected_slaves": 2, "min_slaves_good_slaves": 2}, False),
    ],
)
def test_replicas_that_may_fall_behind_are_worth_a_warning(
    facts: dict[str, int], warned: bool
) -> None:
    warnings = [f for f in judge_server({**DURABLE, **facts}, "always") if f.level is Level.WARNING]

    assert [finding.check for finding in warnings] == ["replicas"] * warned


def test_a_lazy_fsync_is_a_problem_and_an_unknown_one_a_warning() -> None:
    assert problems(DURABLE, fsync="everysec") == {"appendfsync"}
    assert problems(DURABLE, fsync=None) == set()
