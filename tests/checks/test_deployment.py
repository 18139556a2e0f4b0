"""What runs Darkroom elsewhere, in the eyes of whoever will read it. Part of ``make check``."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from generations.settings import WorkerSettings
from tests.acceptance.composed import configured, new_env
from tests.needs import need
from worker.leases import Leases

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "ops/kubernetes"
KUSTOMIZATIONS = sorted(KUBERNETES.glob("*/kustomization.yaml"))
MANIFESTS = sorted(set(KUBERNETES.glob("*/*.yaml")) - set(KUSTOMIZATIONS))
DOCUMENTS: list[dict[str, Any]] = [
    document for file in MANIFESTS for document in yaml.safe_load_all(file.read_text())
]
SCALING = [document for document in DOCUMENTS if document["kind"] == "ScaledObject"]
PODS = [document for document in DOCUMENTS if document["kind"] in ("Deployment", "StatefulSet")]
POD_NAMES = [document["metadata"]["name"] for document in PODS]


def accepted(*command: str) -> str:
    """What a validator says of what it accepts."""
    program, *words = command
    said = subprocess.run(
        [need(program), *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout + said.stderr


@pytest.mark.parametrize("words", [(), ("simulate",)])
def test_compose_reads_its_file(words: tuple[str, ...], tmp_path: Path) -> None:
    assert configured(new_env(*words), tmp_path)


def test_hadolint_has_nothing_to_say_of_the_image() -> None:
    assert accepted("hadolint", "ops/images/Dockerfile") == ""


def test_prometheus_accepts_its_configuration_and_its_rules() -> None:
    for name in ("prometheus.yml", "local.yml"):
        accepted("promtool", "check", "config", f"ops/dashboards/{name}")


def test_kubernetes_knows_every_field() -> None:
    files = [str(file) for file in MANIFESTS if "ScaledObject" not in file.read_text()]
    assert "WARN" not in accepted("kubernetes-validate", "--strict", *files)


@pytest.mark.parametrize("document", SCALING)
def test_keda_knows_every_field(document: dict[str, Any]) -> None:
    schema = json.loads((KUBERNETES / "scaled-object.schema.json").read_text())
    jsonschema_rs.validate(schema, document)
    assert document["spec"]["scaleTargetRef"]["name"] in POD_NAMES


@pytest.mark.parametrize("file", KUSTOMIZATIONS, ids=lambda file: file.parent.name)
def test_a_kustomization_lists_what_there_is_beside_it(file: Path) -> None:
    listed = yaml.safe_load(file.read_text())["resources"]
    beside = {one.name for one in file.parent.glob("*.yaml")} - {file.name}
    assert {one for one in listed if not one.startswith("..")} == beside
    assert all((file.parent / one).exists() for one in listed)


@pytest.mark.parametrize("document", PODS, ids=POD_NAMES)
def test_a_pod_has_no_rights_and_says_how_it_is(document: dict[str, Any]) -> None:
    pod = document["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"startupProbe", "livenessProbe"} <= set(container)
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", POD_NAMES)
def test_a_pod_has_a_disruption_budget_and_a_network_policy(name: str) -> None:
    def reached(kind: str) -> list[Any]:
        key = {"PodDisruptionBudget": "selector", "NetworkPolicy": "podSelector"}[kind]
        found = [document["spec"][key] for document in DOCUMENTS if document["kind"] == kind]
        return [selector.get("matchLabels", {}) for selector in found]

    for kind in ("PodDisruptionBudget", "NetworkPolicy"):
        assert {"app.kubernetes.io/name": name} in reached(kind)


def test_a_stop_of_a_pod_interrupts_no_chunk() -> None:
    (worker,) = (found for found in PODS if found["metadata"]["name"] == "worker")
    grace = worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    budgets = Leases.derive(WorkerSettings(runcomfy_api_token="token")).budgets
    assert grace > max(budgets.values()).total_seconds()


def test_containers_run_what_compose_runs(tmp_path: Path) -> None:
    services = configured(new_env(), tmp_path)
    for document in PODS:
        (container,) = document["spec"]["template"]["spec"]["containers"]
        service = {"gateway": "api_gateway"}.get(container["name"], container["name"])
        if service in services:
            assert container["args"] == services[service]["command"]
            assert container["image"] == services[service]["image"]
