"""The parts of the local stack: their commands, their environments, and who knows which secret."""

from dataclasses import replace
from pathlib import Path

import pytest

from ops.local.example import INPUT, curl_line
from ops.local.parts import Part, Plan, parts_of, valkey
from ops.local.settings import demo_environment
from ops.local.stack import Wishes

PLAN = Plan(
    ports={"valkey": 1, "simulator": 2, "gateway": 3, "flower": 4, "inspector": 5},
    redis_url="redis://:redis-secret@127.0.0.1:1/0",
    flower_login="darkroom:flower-secret",
    runcomfy_token="token-secret",
    runcomfy_base="http://127.0.0.1:2/v1",
    webhook_secret="whsec_secret",
    signing_keys="whsk_secret",
    public_keys="whpk_public",
    webhook_allow="127.0.0.1",
)


def the_part(name: str, plan: Plan = PLAN) -> Part:
    return next(part for part in parts_of(plan) if part.name == name)


def test_parts_start_in_the_order_that_the_path_takes() -> None:
    names = [part.name for part in parts_of(PLAN)]
    assert names == ["simulator", "gateway", "worker", "flower", "inspector"]


def test_more_workers_have_names_of_their_own() -> None:
    names = [part.name for part in parts_of(replace(PLAN, workers=3))]
    assert [name for name in names if "worker" in name] == ["worker", "worker-2", "worker-3"]


def test_with_a_real_account_no_simulator_starts() -> None:
    assert "simulator" not in {part.name for part in parts_of(replace(PLAN, is_simulated=False))}


def test_each_program_exports_its_metrics_where_it_says() -> None:
    ports = {**PLAN.ports, "gateway-metrics": 6, "worker-metrics": 7, "worker-2-metrics": 8}
    plan = replace(PLAN, ports=ports, workers=2)
    assert "http://127.0.0.1:6/metrics" in the_part("gateway", plan).note
    assert the_part("gateway", plan).environment["DARKROOM_GATEWAY_METRICS_PORT"] == "6"
    told = {name: the_part(name, plan) for name in ("worker", "worker-2")}
    assert [part.environment["DARKROOM_WORKER_METRICS_PORT"] for part in told.values()] == [
        "7",
        "8",
    ]
    assert told["worker-2"].metrics == "http://127.0.0.1:8/metrics"


def test_programs_without_a_port_for_metrics_export_none() -> None:
    for name, variable in (
        ("gateway", "DARKROOM_GATEWAY_METRICS_PORT"),
        ("worker", "DARKROOM_WORKER_METRICS_PORT"),
    ):
        assert the_part(name).environment[variable] == "0"
        assert "metrics" not in the_part(name).note


def test_no_secret_is_on_a_command_line() -> None:
    assert "secret" not in " ".join(word for part in parts_of(PLAN) for word in part.command)


def test_a_part_shows_no_secret_when_printed() -> None:
    assert "secret" not in repr(PLAN) + repr(parts_of(PLAN))


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("token-secret", {"simulator", "worker"}),
        ("whsec_secret", {"inspector"}),
        ("whsk_secret", {"worker"}),
        ("whpk_public", {"inspector"}),
        ("flower-secret", {"flower"}),
        ("redis-secret", {"gateway", "worker", "flower"}),
    ],
)
def test_each_secret_is_known_to_those_who_need_it(secret: str, holders: set[str]) -> None:
    told = {p.name for p in parts_of(PLAN) if any(secret in v for v in p.environment.values())}
    assert told == holders


def test_flower_only_shows() -> None:
    assert "--read-only" in the_part("flower").command


def test_a_worker_always_logs_that_it_is_ready() -> None:
    quiet = the_part("worker", replace(PLAN, log_level="ERROR"))
    assert quiet.environment["DARKROOM_LOG_LEVEL"] == "INFO"


def test_the_embedded_server_keeps_what_it_accepted() -> None:
    command = " ".join(valkey(Path("server"), port=1, folder=Path("data")).command)
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command
    assert "--bind 127.0.0.1" in command


def test_the_curl_line_is_one_line_and_holds_the_whole_example() -> None:
    line = curl_line("http://127.0.0.1:3", api_key="dk_x", webhook="http://127.0.0.1:5/callbacks")
    assert "\n" not in line
    assert INPUT["prompt"].replace("'", "\\u0027") in line


def test_the_demo_takes_over_no_real_redis_and_no_real_account() -> None:
    environment = {
        "PATH": "/bin",
        "DARKROOM_REDIS_URL": "redis://production",
        "DARKROOM_BROKER_URL": "redis://production",
        "RUNCOMFY_API_TOKEN": "real",
        "RUNCOMFY_MODEL_API_BASE": "https://real",
        "FLOWER_PORT": "1",
        "DARKROOM_SIMULATOR_SPEED": "10",
    }
    assert demo_environment(environment) == {"PATH": "/bin", "DARKROOM_SIMULATOR_SPEED": "10"}


def test_wishes_without_settings_are_for_local_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    from ops.local.settings import LocalSettings

    for name in ("DARKROOM_REDIS_URL", "RUNCOMFY_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    wishes = Wishes(LocalSettings(), {}, {})
    assert wishes.is_embedded
    assert wishes.is_simulated
