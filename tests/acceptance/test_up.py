"""``darkroom up`` and the commands beside it: one stack for most of them, in the order below."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.local.folder import Folder
from ops.local.ports import is_free
from ops.local.settings import HOST
from tests.acceptance.local_stack import Up, free_ports, living_groups, run, settings
from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.acceptance.stack import SIGNING_KEYS
from tests.acceptance.waiting import eventually

SPEED = "20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "darkroom"


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Up]:
    ports = free_ports()
    with socket.create_server((HOST, ports["gateway"])):
        up = Up(folder, "--json", ports=ports, environment=settings(simulator_speed=SPEED))
        try:
            up.wait_until("}\n")
            yield up
        finally:
            # The last test ended it, unless something failed before.
            up.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def description(up: Up) -> dict[str, Any]:
    return up.description()


@pytest.fixture
def http(description: dict[str, Any]) -> Iterator[httpx.Client]:
    """An origin's connection to the gateway."""
    headers = {"Authorization": f"Bearer {description['api_key']}"}
    base = description["urls"]["gateway"]
    with httpx.Client(base_url=base, headers=headers, timeout=15, trust_env=False) as http:
        yield http


def paste(description: dict[str, Any]) -> str:
    """Run the printed line in a shell; the id of what it submitted."""
    shell = subprocess.run(
        ["bash", "-c", f"{description['curl']} --silent --show-error --fail --noproxy '*'"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    return str(json.loads(shell.stdout)["request_id"])


def test_everything_starts_and_each_part_is_told_in_one_line(
    up: Up, description: dict[str, Any]
) -> None:
    parts = ["valkey", "simulator", "gateway", "worker", "flower", "inspector"]
    assert list(description["parts"]) == parts
    for part in parts:
        (line,) = re.findall(rf"^{part} .*$", up.lines, re.MULTILINE)
        assert description["urls"].get(part, "") in line


def test_a_port_in_use_is_told_and_the_next_free_one_taken(
    up: Up, description: dict[str, Any]
) -> None:
    wanted = up.ports["gateway"]
    taken = int(description["urls"]["gateway"].rpartition(":")[2])
    assert taken > wanted
    assert f"Port {wanted} is in use; gateway takes {taken}.\n" in up.lines


def test_the_metrics_are_where_its_lines_say(up: Up, description: dict[str, Any]) -> None:
    for part in ("gateway", "worker"):
        url = description["parts"][part]["metrics"]
        assert re.search(rf"^{part} .*, metrics at {url}$", up.lines, re.MULTILINE)
        told = eventually(partial(exported, url), f"{part} exports")
        assert f'darkroom_info{{program="{part}"' in told


def exported(url: str) -> str | None:
    """What is at an exporter's address; nothing before it listens."""
    try:
        return httpx.get(url, trust_env=False).text
    except httpx.TransportError:
        return None


def test_the_keys_are_for_the_owners_eyes_only(folder: Path, description: dict[str, Any]) -> None:
    kept = folder / "local.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["api_key"] == description["api_key"]
    logs = "".join(log.read_text() for log in (folder / "logs").iterdir())
    for secret in ("api_key", "webhook_secret", "flower_login", "simulator_token", "signing_key"):
        assert json.loads(kept.read_text())[secret] not in logs


def test_flower_shows_nothing_without_its_password(description: dict[str, Any]) -> None:
    url = f"{description['urls']['flower']}/api/tasks"
    assert httpx.get(url, trust_env=False).status_code == 401
    user, _, password = description["flower_login"].partition(":")
    assert httpx.get(url, auth=(user, password), trust_env=False).status_code == 200


def test_the_pasted_line_yields_a_verified_callback(
    description: dict[str, Any], http: httpx.Client
) -> None:
    generation_id = paste(description)
    inspector = description["urls"]["inspector"]

    def told() -> list[dict[str, Any]]:
        callbacks = httpx.get(f"{inspector}/api/callbacks", trust_env=False).json()["callbacks"]
        return [c for c in callbacks if c["body"]["data"]["request_id"] == generation_id]

    (callback,) = eventually(told, "the callback arrives")
    signers = [(check["version"], check["by"]) for check in callback["checks"]]
    assert signers == [("v1", "secret 1"), ("v1a", "public key 1")]
    assert callback["verified"]
    assert callback["body"]["data"]["status"] == "succeeded"
    assert http.get(f"/v1/requests/{generation_id}/status").json()["status"] == "completed"


def test_an_endpoint_on_this_machine_is_tried_and_its_answer_told(
    folder: Path, description: dict[str, Any]
) -> None:
    endpoint = f"{description['urls']['inspector']}/callbacks"
    tried = run("endpoints", "test", "local", endpoint, "--folder", str(folder), "--json")
    assert tried.returncode == 0, tried.stderr
    told = json.loads(tried.stdout)
    assert (told["type"], told["status"]) == ("endpoint.test", "delivered")


def test_a_second_up_on_the_same_folder_is_refused(up: Up, folder: Path) -> None:
    second = run("up", "--folder", str(folder))
    assert second.returncode == 1
    assert f"already runs on {folder} (its process is {up.process.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_commands_beside_it_find_its_store(folder: Path, http: httpx.Client) -> None:
    made = run("keys", "create", "north", "--folder", str(folder), "--json")
    key = json.loads(made.stdout)
    assert list(key) == ["origin", "api_key", "webhook_secret", "id", "scopes"]
    assert key["origin"] == "north"
    assert key["webhook_secret"].startswith("whsec_")
    http.headers["Authorization"] = f"Bearer {key['api_key']}"
    assert http.get("/v1/generations").status_code == 200


def test_a_generation_is_listed_shown_and_cancelled(
    folder: Path, description: dict[str, Any], http: httpx.Client
) -> None:
    simulator = description["urls"]["simulator"]
    httpx.put(f"{simulator}/_sim/hold", json={"queue": True}, trust_env=False).raise_for_status()
    generation_id = paste(description)
    here = ("--folder", str(folder))

    def in_queue() -> bool:
        return bool(http.get(f"/v1/generations/{generation_id}").json()["status"] == "in_queue")

    eventually(in_queue, "RunComfy has it")
    listed = json.loads(run("generations", "list", "--status", "in_queue", "--json", *here).stdout)
    assert [one["id"] for one in listed["generations"]] == [generation_id]
    cancelled = json.loads(run("generations", "cancel", generation_id, "--json", *here).stdout)
    assert cancelled == {"id": generation_id, "status": "cancelled", "outcome": "cancelled"}
    shown = json.loads(run("generations", "show", generation_id, "--json", *here).stdout)
    native = http.get(f"/v1/generations/{generation_id}").json()
    # Whoever has the store's key sees whose it is; the rest is the gateway's own record.
    # Its callback may be under way between the two looks.
    assert shown.pop("origin") == "local"
    assert shown.keys() == native.keys()
    assert shown["timeline"] == native["timeline"]
    httpx.put(f"{simulator}/_sim/hold", json={}, trust_env=False).raise_for_status()


@pytest.mark.usefixtures("up")
def test_a_generation_is_submitted_and_followed_to_its_end(folder: Path) -> None:
    given = json.dumps({"prompt": "A bear"})
    options = ("--priority", "3", "--metadata", "order=4711", "--json", "--folder", str(folder))
    answer = run("submit", IMAGE_MODEL, "--input", given, *options)
    assert answer.returncode == 0, answer.stderr
    records = [json.loads(line) for line in answer.stdout.splitlines()]
    assert records[0]["status"] == "queued"
    assert records[-1]["status"] == "succeeded"
    assert (records[-1]["priority"], records[-1]["metadata"]) == (3, {"order": "4711"})
    moves = [len(record["timeline"]) for record in records]
    assert moves == sorted(moves)


def test_what_fails_is_followed_too_and_the_exit_code_says_so(folder: Path) -> None:
    given = json.dumps({"prompt": "[[sim:failed]]"})
    here = ("--folder", str(folder))
    submitted = run("submit", IMAGE_MODEL, "--input", given, "--no-wait", *here)
    generation_id = submitted.stdout.strip()
    watched = run("generations", "watch", generation_id, *here)
    assert watched.returncode == 1
    assert "s  failed" in watched.stdout
    assert "generation_failed: Simulated failure" in watched.stdout


def test_a_refused_input_is_told_field_by_field(folder: Path) -> None:
    given = json.dumps({"prompt": 5, "resolutoin": "1K"})
    answer = run("submit", IMAGE_MODEL, "--input", given, "--folder", str(folder))
    assert answer.returncode == 1
    assert "#/input/prompt " in answer.stderr
    assert "did you mean resolution?" in answer.stderr


def test_who_names_no_gateway_is_told_how_to(tmp_path: Path) -> None:
    answer = run("submit", IMAGE_MODEL, "--input", "{}", "--folder", str(tmp_path))
    assert answer.returncode == 1
    assert "DARKROOM_GATEWAY_URL" in answer.stderr


def test_an_unknown_generation_is_a_sentence(folder: Path) -> None:
    answer = run("generations", "show", "gen_none", "--folder", str(folder))
    assert answer.returncode == 1
    assert answer.stderr.startswith("darkroom: There is no generation")


def test_the_doctor_finds_it_well(folder: Path) -> None:
    answer = run("doctor", "--folder", str(folder), "--json")
    report = json.loads(answer.stdout)
    assert (answer.returncode, report["ok"]) == (0, True)
    checks = {finding["check"] for finding in report["findings"]}
    assert {"version", "appendonly", "appendfsync", "maxmemory-policy", "latency"} <= checks


def test_a_killed_part_is_told_and_comes_back(up: Up, http: httpx.Client) -> None:
    ready = up.lines.count("\ngateway ")
    # With a process of its own beneath it, which must not keep the port.
    os.kill(up.description()["parts"]["gateway"]["pid"], signal.SIGKILL)
    up.wait_until("gateway   was ended by SIGKILL; it is started again in 0.5 s")
    up.wait_until("\ngateway ", times=ready + 2)
    assert http.get("/readyz").status_code == 200


def test_ctrl_c_ends_everything(up: Up, folder: Path, description: dict[str, Any]) -> None:
    groups = [part["pid"] for part in description["parts"].values()]
    assert up.end(signal.SIGINT) == 0
    assert living_groups(groups) == []
    assert "Everything has ended." in up.lines
    assert "Traceback" not in up.lines
    away = run("generations", "list", "--folder", str(folder), environment=_nowhere())
    assert away.returncode == 1
    assert away.stderr.startswith("darkroom: Redis cannot be reached")
    assert "Traceback" not in away.stderr


def test_a_later_start_keeps_key_and_generations_and_may_be_killed(
    folder: Path, description: dict[str, Any]
) -> None:
    up = Up(folder, "--verbose", ports=free_ports(), environment=settings())
    try:
        told = up.wait_until("Ctrl-C ends everything.")
        assert f"Bearer {description['api_key']}" in told
        ready = re.compile(r"^worker .*ready\.", re.MULTILINE)
        eventually(lambda: ready.search(up.output + up.lines), "the logs are shown")
        listed = run("generations", "list", "--folder", str(folder), "--json")
        assert len(json.loads(listed.stdout)["generations"]) == 4
    finally:
        up.end(signal.SIGKILL)
    # The folder is free again when the last part has ended, and not before.
    eventually(lambda: not Folder(folder).is_locked, "the folder is let go of")
    assert all(is_free(port) for port in up.ports.values())


def test_with_a_redis_and_an_account_nothing_stands_in_for_them(
    tmp_path: Path, redis_url: str
) -> None:
    environment = settings(redis_url=redis_url) | {
        "RUNCOMFY_API_TOKEN": "a-real-token",
        "RUNCOMFY_MODEL_API_BASE": f"http://{HOST}:9/v1",
        "DARKROOM_SIGNING_KEYS": SIGNING_KEYS[0].private_text,
    }
    up = Up(tmp_path / "own", "--json", ports=free_ports(), environment=environment)
    try:
        parts = up.description()["parts"]
        assert list(parts) == ["gateway", "worker", "flower", "inspector"]
        told = {n: Path(f"/proc/{p['pid']}/environ").read_text() for n, p in parts.items()}
        for secret in ("a-real-token", SIGNING_KEYS[0].private_text):
            assert [name for name, text in told.items() if secret in text] == ["worker"]
        assert SIGNING_KEYS[0].public_text in told["inspector"]
    finally:
        code = up.end(signal.SIGTERM)
    assert code == 0


def test_a_part_that_cannot_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    in_the_way = tmp_path / "valkey" / "appendonlydir"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    ports = [f"--{part}-port={port}" for part, port in free_ports().items()]
    answer = run("up", "--folder", str(tmp_path), *ports)
    assert answer.returncode == 1
    assert "darkroom: valkey cannot start: it ended with exit code 1." in answer.stderr
    assert "Can't open or create append-only dir" in answer.stderr


def _nowhere() -> dict[str, str]:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    return settings(redis_url=f"redis://{HOST}:{port}/0")
