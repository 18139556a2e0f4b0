"""docker-compose.yml, run outside Docker: its commands, healthchecks and environments."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.acceptance.composed import OURS, Composed, configured, new_env
from tests.acceptance.waiting import eventually
from tests.needs import need

FAST = "DARKROOM_SIMULATOR_SPEED=40\n"
LONG_AGO = timedelta(minutes=2).total_seconds()


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Redis, gateway, worker, Flower, simulator and inspector, healthy."""
    folder = tmp_path_factory.mktemp("composed")
    everything = Composed(configured(f"{new_env('simulate')}{FAST}", folder), folder)
    try:
        everything.start("redis").wait_until_ready()
        assert not any(everything.is_healthy(name) for name in OURS if name != "redis")
        for name in OURS[1:]:
            everything.start(name)
        for name in OURS[1:]:
            everything.programs[name].wait_until_ready()
        yield everything
    finally:
        everything.close()


def pretend_it_is_old(file: Path) -> None:
    then = file.stat().st_mtime - LONG_AGO
    os.utime(file, (then, then))


def test_a_generation_goes_through_and_is_told(composed: Composed) -> None:
    told = composed.execute("api_gateway", "darkroom", "keys", "create", "shop", "--json")
    asked = httpx.post(
        f"{composed.url('8080')}/v1/models/bytedance/seedance-v1.5-pro/image-to-video",
        params={"webhook": f"{composed.url('8091')}/callbacks"},
        headers={"Authorization": f"Bearer {json.loads(told)['api_key']}"},
        json={"prompt": "A breeze.", "first_frame_image_url": "https://example.com/a.png"},
        trust_env=False,
    )
    assert asked.status_code == 200, asked.text
    asked_id = asked.json()["request_id"]

    def look() -> bool:
        came = httpx.get(f"{composed.url('8091')}/api/callbacks", trust_env=False)
        return asked_id in came.text

    eventually(look, "the inspector has its callback", seconds=60)


def test_a_frozen_worker_is_seen_by_its_heartbeat(composed: Composed) -> None:
    heartbeat = composed.path("worker", "/tmp/heartbeat")
    worker = composed.programs["worker"]
    os.killpg(worker.pid, signal.SIGSTOP)
    try:
        pretend_it_is_old(heartbeat)
        assert not composed.is_healthy("worker")
    finally:
        os.killpg(worker.pid, signal.SIGCONT)
    eventually(lambda: composed.is_healthy("worker"), "it beats again")


def test_a_worker_whose_redis_is_away_is_well(composed: Composed) -> None:
    redis = composed.programs["redis"]
    redis.kill()
    assert not composed.is_healthy("redis")
    pretend_it_is_old(composed.path("worker", "/tmp/heartbeat"))
    eventually(lambda: composed.is_healthy("worker"), "it beats all the same")
    redis.start()
    redis.wait_until_ready()
    eventually(
        lambda: httpx.get(f"{composed.url('8080')}/readyz", trust_env=False).status_code == 200,
        "the gateway has it again",
    )


def test_flower_asks_for_its_password_and_only_looks(composed: Composed) -> None:
    user, _, password = composed.environment("flower")["FLOWER_BASIC_AUTH"].partition(":")
    login = (user, password)
    url, shutdown = composed.url("5555"), "/api/worker/shutdown/celery@host"
    with httpx.Client(base_url=url, trust_env=False) as flower:
        assert flower.get("/workers").status_code == 401
        assert flower.get("/workers", auth=login).status_code == 200
        assert flower.post(shutdown, auth=login).status_code == 403
        seen = "".join(
            flower.get(page, auth=login, timeout=30).text
            for page in ("/api/workers?refresh=true", "/api/tasks", "/broker", "/workers")
        )
    assert "celery@" in seen
    secrets = [composed.environment("redis")["REDIS_PASSWORD"], password]
    secrets.append(composed.environment("worker")["RUNCOMFY_API_TOKEN"])
    assert [secret for secret in secrets if secret in seen] == []


def test_redis_keeps_what_was_accepted_and_its_password_to_itself(composed: Composed) -> None:
    command = Path(f"/proc/{composed.programs['redis'].pid}/cmdline").read_bytes()
    assert composed.environment("redis")["REDIS_PASSWORD"].encode() not in command
    report = composed.execute("api_gateway", "sh", "-c", "darkroom doctor --json || true")
    found = {one["check"]: one["level"] for one in json.loads(report)["findings"]}
    checks = [name for name in found if name not in ("token", "runcomfy", "latency")]
    assert {name: found[name] for name in checks} == dict.fromkeys(checks, "ok")


def test_prometheus_starts_on_our_configuration(composed: Composed) -> None:
    need("prometheus")
    need("wget")
    composed.start("prometheus").wait_until_ready()
    read = httpx.get(f"{composed.url('9090')}/api/v1/status/config", trust_env=False)
    assert "job_name: worker" in read.json()["data"]["yaml"]


@pytest.mark.parametrize(
    ("name", "without", "says"),
    [
        ("worker", "RUNCOMFY_API_TOKEN", "RUNCOMFY_API_TOKEN is not set"),
        ("simulator", "DARKROOM_SIMULATOR_TOKEN", "token"),
        ("grafana", "GF_SECURITY_ADMIN_PASSWORD", "set GRAFANA_PASSWORD in .env"),
    ],
)
def test_nothing_starts_without_its_secret(
    composed: Composed, name: str, without: str, says: str
) -> None:
    environment = {k: v for k, v in composed.environment(name).items() if k != without}
    ended = subprocess.run(
        composed.command(name),
        env=environment,
        cwd=composed.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert says in ended.stderr


def test_flower_without_a_login_does_not_open_to_all(composed: Composed) -> None:
    environment = composed.environment("flower")
    del environment["FLOWER_BASIC_AUTH"]
    command = ["celery", "-A", "worker", "flower", "--address=0.0.0.0", "--port=0"]
    ended = subprocess.run(
        command,
        env=environment,
        cwd=composed.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "darkroom: Flower would be open to everybody at 0.0.0.0." in ended.stderr


def test_grafana_starts_with_its_password(composed: Composed) -> None:
    command = composed.command("grafana")
    ran = subprocess.run(
        command, env=composed.environment("grafana"), capture_output=True, text=True, check=True
    )
    assert ran.stdout == "Grafana runs\n"


def test_the_images_own_command_runs(composed: Composed) -> None:
    (line,) = (
        line for line in Path("ops/images/Dockerfile").read_text().splitlines() if "CMD" in line
    )
    said = composed.execute("worker", *json.loads(line.removeprefix("CMD ")))
    assert "Usage: darkroom" in said


@pytest.mark.parametrize("name", ["flower", "worker", "api_gateway"])
def test_each_ends_within_its_grace_when_it_is_told_to(composed: Composed, name: str) -> None:
    program = composed.programs[name]
    program.terminate()
    assert program.wait(seconds=30) in (0, 143)
