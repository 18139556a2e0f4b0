"""What docker-compose.yml and the image promise, read from the files."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import AliasChoices

from generations.settings import GatewaySettings, StoreSettings, WorkerSettings
from ops.local.settings import RUNCOMFY_BASE
from tests.acceptance.composed import OURS, compose, new_env
from worker.leases import STOP_LIMIT, Leases

ROOT = Path(__file__).parents[3]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (ROOT / "ops/images/Dockerfile").read_text()
PROGRAMS: dict[str, type[StoreSettings]] = {
    "api_gateway": GatewaySettings,
    "worker": WorkerSettings,
    "flower": StoreSettings,
}
SECRET_NAMES = re.compile("PASSWORD|TOKEN|SECRET|AUTH|URL$")


def variables(kind: type[StoreSettings]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield str(alias.choices[0])
        else:
            yield f"DARKROOM_{name.upper()}"


@pytest.mark.parametrize(("service", "kind"), PROGRAMS.items())
def test_every_setting_of_dot_env_reaches_its_program(
    service: str, kind: type[StoreSettings]
) -> None:
    assert set(variables(kind)) - set(SERVICES[service]["environment"]) == set()


@pytest.mark.parametrize(("service", "kind"), PROGRAMS.items())
def test_no_program_is_told_what_is_for_another(service: str, kind: type[StoreSettings]) -> None:
    others = {name for other in PROGRAMS.values() for name in variables(other)}
    assert set(SERVICES[service]["environment"]) & (others - set(variables(kind))) == set()


def test_the_example_has_each_variable_that_the_file_takes() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    taken = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    for service in SERVICES.values():
        environment = service.get("environment", {})
        taken |= {name for name, value in environment.items() if value is None}
    example = (ROOT / ".env.example").read_text()
    assert taken - set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE)) == set()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_tells_how_it_is_in_exec_form(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    for words in (SERVICES[name].get("command"), SERVICES[name].get("entrypoint")):
        assert words is None or isinstance(words, list)
    assert "celery inspect" not in str(SERVICES[name])


@pytest.mark.parametrize("name", [name for name in OURS if name != "redis"])
def test_our_containers_can_change_nothing_but_tmp(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_has_a_default(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET_NAMES.search(variable) and value is not None:
            found = re.findall(r"\$\{\w+:([-?])([^}]*)\}", str(value))
            assert all(kind == "?" or not default for kind, default in found), variable
            assert found or variable == "DARKROOM_PUBLIC_URL"


def test_only_the_gateway_is_open_to_other_machines() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name == "api_gateway" or port.startswith("127.0.0.1:"), name


def test_beside_the_simulator_nobody_reaches_runcomfy_and_pays() -> None:
    simulator = SERVICES["simulator"]
    names = simulator["networks"]["default"]["aliases"]
    assert urlsplit(RUNCOMFY_BASE).hostname in names
    # Where RunComfy listens, the simulator does not.
    assert "443" not in simulator["command"]


def test_a_stop_interrupts_no_chunk() -> None:
    grace = timedelta(seconds=int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")))
    leases = Leases.derive(WorkerSettings(runcomfy_api_token="token"))
    assert grace > STOP_LIMIT
    assert grace > max(leases.budgets.values())


@pytest.mark.parametrize("missing", ["REDIS_PASSWORD"])
def test_compose_demands_what_it_cannot_do_without(missing: str, tmp_path: Path) -> None:
    lines = new_env("simulate").splitlines()
    without = "\n".join(line for line in lines if not line.startswith(missing))
    refused = compose(without, tmp_path, "config")
    assert refused.returncode != 0
    assert f"set {missing} in .env" in refused.stderr


def test_a_new_env_is_complete_and_never_the_same() -> None:
    assert new_env() != new_env()
    names = [line.partition("=")[0] for line in new_env().splitlines() if "=" in line]
    assert names == [
        "REDIS_PASSWORD",
        "FLOWER_BASIC_AUTH",
        "GRAFANA_PASSWORD",
        "RUNCOMFY_API_TOKEN",
    ]


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["requirements.lock", "simulator.lock", "build.lock"])
def test_the_image_has_the_versions_that_the_tests_ran_with(name: str) -> None:
    found = locked(f"ops/images/{name}")
    assert found
    assert found.items() <= locked("requirements.lock").items()


def test_the_image_has_all_that_the_programs_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for lock, needed in (
        ("requirements.lock", [*project["dependencies"], *extras["otel"]]),
        ("simulator.lock", [*project["dependencies"], *extras["local"]]),
    ):
        names = {re.split(r"[\[<>=]", one)[0].lower() for one in needed}
        assert names <= set(locked(f"ops/images/{lock}")), "make lock-images"


def test_the_image_has_neither_tools_of_development_nor_of_building() -> None:
    found = set(locked("ops/images/requirements.lock"))
    assert (
        found & {"pytest", "mypy", "ruff", "hatchling", "pip", "av", "selenium", "gevent"} == set()
    )
    assert {"celery", "granian", "opentelemetry-sdk"} <= found


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    (command,) = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert isinstance(json.loads(command), list)


@pytest.mark.parametrize("script", ["answers-http", "beats", "new-env"])
def test_the_scripts_can_be_executed(script: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--stage", f"ops/images/{script}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.startswith("100755")
