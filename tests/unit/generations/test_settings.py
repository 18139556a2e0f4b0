"""Settings come from the environment, and no complaint about them shows a value."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, ValidationError
from pydantic_settings import BaseSettings

from generations.settings import (
    GatewaySettings,
    StoreSettings,
    WorkerSettings,
    explain,
    load_settings,
)
from ops.inspector.settings import InspectorSettings
from ops.local.settings import CallerSettings, LocalSettings
from ops.simulator.settings import SimulatorSettings
from worker.watching import FlowerSettings

ENV_EXAMPLE = Path(__file__).parents[3] / ".env.example"
ENTRY = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")
PROGRAMS = (StoreSettings, GatewaySettings, WorkerSettings)
#: Settings of parts for trying out, which .env.example may list and need not.
PARTS = (CallerSettings, LocalSettings, InspectorSettings, SimulatorSettings, FlowerSettings)
#: Read by Flower and docker compose, and not by us.
OTHERS = {
    "COMPOSE_PROFILES",
    "FLOWER_PORT",
    "FLOWER_URL_PREFIX",
    "GRAFANA_PASSWORD",
    "GRAFANA_PORT",
    "INSPECTOR_PORT",
    "PROMETHEUS_PORT",
    "REDIS_PASSWORD",
}

SECRET = "s3cr3t-V4LUE"
TOKEN = {"RUNCOMFY_API_TOKEN": "rc-token"}


@pytest.fixture(autouse=True)
def an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "RUNCOMFY_")):
            monkeypatch.delenv(name)


def variables(*kinds: type[BaseSettings]) -> Iterator[tuple[str, type[BaseSettings], str]]:
    """Every variable that the classes read: its name, the class and the field."""
    for kind in kinds:
        for field, about in kind.model_fields.items():
            alias = about.validation_alias
            names = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias else []
            prefixed = f"{kind.model_config.get('env_prefix', '')}{field}".upper()
            for name in names or [prefixed]:
                assert isinstance(name, str)
                yield name, kind, field


def names_of(*kinds: type[BaseSettings]) -> set[str]:
    return {name for name, *_ in variables(*kinds)}


def in_the_example() -> dict[str, str]:
    found = map(ENTRY.fullmatch, ENV_EXAMPLE.read_text().splitlines())
    return {entry[1]: entry[2] for entry in found if entry}


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_example_lists_every_setting() -> None:
    assert names_of(*PROGRAMS) - set(in_the_example()) == set()


def test_the_example_lists_no_setting_that_nobody_reads() -> None:
    assert set(in_the_example()) - names_of(*PROGRAMS, *PARTS) - OTHERS == set()


SHOWN = [
    found for found in variables(GatewaySettings, WorkerSettings) if in_the_example().get(found[0])
]


@pytest.mark.parametrize(("name", "kind", "field"), SHOWN)
def test_the_example_shows_the_default(
    name: str, kind: type[BaseSettings], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = in_the_example()[name]
    set_all(monkeypatch, TOKEN)
    default = getattr(kind(), field)
    monkeypatch.setenv(name, shown)
    found = getattr(kind(), field)
    assert found == default or (name == "DARKROOM_BROKER_URL" and shown == StoreSettings().broker)


def test_the_example_copied_as_it_is_lacks_only_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {name: value for name, value in in_the_example().items() if not value})
    assert GatewaySettings() is not None
    with pytest.raises(ValidationError) as caught:
        WorkerSettings()
    assert explain(caught.value).startswith("RUNCOMFY_API_TOKEN is not set.")


GARBAGE: dict[str, tuple[str, ...]] = {
    "DARKROOM_REDIS_URL": (f"http://:{SECRET}@redis:6379", SECRET, f"sentinel://:{SECRET}@"),
    "DARKROOM_LOG_LEVEL": (SECRET,),
    "DARKROOM_MAX_BODY_BYTES": (SECRET, "0", "-1"),
    "DARKROOM_PUBLIC_URL": (SECRET, f"ftp://{SECRET}", f"http://{SECRET}:port"),
    "DARKROOM_DOCS": (SECRET,),
    "DARKROOM_WEBHOOK_HTTPS_ONLY": (SECRET,),
    "DARKROOM_WEBHOOK_CONCURRENCY": (SECRET, "0", "-1"),
    "DARKROOM_WEBHOOK_PROXY": (
        SECRET,
        f"https://{SECRET}:3128",
        f"socks5://{SECRET}",
        f"http://proxy:{SECRET}",
        f"http://[{SECRET}",
        f"http://proxy/{SECRET}",
    ),
    "DARKROOM_SIGNING_KEYS": (SECRET, f"whsk_{SECRET}", f"whsk_{SECRET},whsk_"),
    "RUNCOMFY_MODEL_API_BASE": (SECRET, f"https://user:{SECRET}@:0"),
    "DARKROOM_DELIVERY_SCHEDULE": (SECRET, "5,,9", f"5,{SECRET}", "5,-1", "nan", "1e999"),
    **{
        name: (SECRET, f"PT{SECRET}", "-1", "nan", "inf", "1e300")
        for name, _, field in variables(*PROGRAMS)
        if field.endswith(("timeout", "wait", "interval", "deadline")) or field == "keep"
    },
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in GARBAGE.items() for value in values]
)
def test_a_complaint_names_the_variable_and_never_shows_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, {**TOKEN, name: value})
    kind = WorkerSettings if name in names_of(WorkerSettings) else GatewaySettings
    with pytest.raises(ValidationError) as caught:
        kind()
    said = explain(caught.value)
    assert f"{name} is not valid: " in said
    assert said.endswith("See .env.example for every setting.")
    assert SECRET not in said
    assert TOKEN["RUNCOMFY_API_TOKEN"] not in said


@pytest.mark.parametrize("value", [None, ""])
def test_a_worker_without_a_token_does_not_start(
    value: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if value is not None:
        monkeypatch.setenv("RUNCOMFY_API_TOKEN", value)
    with pytest.raises(SystemExit) as caught:
        load_settings(WorkerSettings)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said == (
        "darkroom: RUNCOMFY_API_TOKEN is not set. See .env.example for every setting.\n"
    )


def test_several_complaints_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"DARKROOM_KEEP": "soon", "DARKROOM_POLL_TIMEOUT": "later"})
    with pytest.raises(ValidationError) as caught:
        WorkerSettings()
    said = explain(caught.value)
    for name in ("DARKROOM_KEEP", "DARKROOM_POLL_TIMEOUT", "RUNCOMFY_API_TOKEN"):
        assert name in said


def test_secrets_are_not_shown_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "RUNCOMFY_API_TOKEN": SECRET,
        "DARKROOM_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:6379/0",
        "DARKROOM_BROKER_URL": f"redis://:{SECRET}@127.0.0.1:6379/1",
    }
    set_all(monkeypatch, secrets)
    settings = WorkerSettings()
    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("0.5", 0.5), ("0", 0), ("PT15S", 15), ("PT24H", 86400), ("P7D", 604800)],
)
def test_a_duration_is_seconds_or_iso_8601(
    text: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_KEEP", text)
    assert StoreSettings().keep == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DARKROOM_WEBHOOK_ALLOW", "", "webhook_allow", ()),
        ("DARKROOM_WEBHOOK_ALLOW", " ::1 ,localhost,, ", "webhook_allow", ("::1", "localhost")),
        ("DARKROOM_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("DARKROOM_DOCS", "false", "docs", False),
        ("DARKROOM_MAX_BODY_BYTES", "2048", "max_body_bytes", 2048),
    ],
)
def test_a_setting_is_read(
    name: str, text: str, field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(GatewaySettings(), field) == value


def test_a_schedule_is_seconds_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**TOKEN, "DARKROOM_DELIVERY_SCHEDULE": "0.1, 5,300"})
    waits = WorkerSettings().delivery_schedule
    assert waits == tuple(timedelta(seconds=s) for s in (0.1, 5, 300))


@pytest.mark.parametrize(
    ("redis_url", "broker"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/1"),
        ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379/1"),
        ("rediss://:pw@redis.example:6380/3", "rediss://:pw@redis.example:6380/1"),
    ],
)
def test_the_broker_is_database_1_of_the_same_server(
    redis_url: str, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_REDIS_URL", redis_url)
    assert StoreSettings().broker == broker
    monkeypatch.setenv("DARKROOM_BROKER_URL", "redis://elsewhere/5")
    assert StoreSettings().broker == "redis://elsewhere/5"


@pytest.mark.parametrize("base", ["http://127.0.0.1:8090/v1", "http://127.0.0.1:8090/v1/"])
def test_the_api_base_has_no_slash_at_its_end(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**TOKEN, "RUNCOMFY_MODEL_API_BASE": base})
    assert WorkerSettings().api_base == "http://127.0.0.1:8090/v1"


def test_https_alone_reaches_the_check_of_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"DARKROOM_WEBHOOK_HTTPS_ONLY": "true"})
    assert GatewaySettings().allowed.https_only


def test_a_proxy_is_taken_with_its_password_and_shows_none_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, {**TOKEN, "DARKROOM_WEBHOOK_PROXY": f"http://user:{SECRET}@proxy:3128"})
    settings = WorkerSettings()
    assert settings.egress_proxy == f"http://user:{SECRET}@proxy:3128"
    assert SECRET not in repr(settings)
