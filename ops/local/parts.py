"""The parts of the local stack: what each is started with, and how it shows that it is ready.

Pure: settings in, commands and environments out. Secrets go through the environment only,
never through a command line, and each part gets those that it needs.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ops.local.settings import HOST

VALKEY, SIMULATOR, GATEWAY = "valkey", "simulator", "gateway"
WORKER, FLOWER, INSPECTOR = "worker", "flower", "inspector"
#: The parts that listen, in the order in which they start.
LISTENING: Final = (VALKEY, SIMULATOR, GATEWAY, FLOWER, INSPECTOR)
#: Where metrics are exported, beside what a program listens on otherwise.
METRICS: Final = "metrics"


@dataclass(frozen=True, slots=True)
class AnswersHttp:
    """Ready when a GET of the URL is answered with 200."""

    url: str


@dataclass(frozen=True, slots=True)
class AnswersRedis:
    """Ready when a PING is answered."""

    url: str


@dataclass(frozen=True, slots=True)
class Logs:
    """Ready when the part's log says so."""

    text: str


Sign = AnswersHttp | AnswersRedis | Logs

#: Requests that one gateway process keeps open. By default granian keeps 1,024 in all, and those
#: beyond it wait unheard until others end, which callers that follow a generation do not soon.
OPEN_AT_ONCE: Final = 10_000
#: Connections that may come at once before a process takes them.
BACKLOG: Final = 4096

#: What Celery logs, at INFO, once a worker takes messages.
WORKER_READY: Final = Logs(" ready.")


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the stack."""

    name: str
    command: tuple[str, ...]
    ready: Sign
    #: Where it is to be found, as told to people.
    url: str = ""
    note: str = ""
    #: Where its metrics are exported.
    metrics: str = ""
    #: What it is told beside what all parts inherit. Holds secrets.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the parts depend on."""

    ports: Mapping[str, int]
    redis_url: str = field(repr=False)
    flower_login: str = field(repr=False)
    runcomfy_token: str = field(repr=False)
    runcomfy_base: str
    webhook_secret: str = field(repr=False)
    #: What the workers sign with, and the public halves, with which anybody verifies.
    signing_keys: str = field(repr=False)
    public_keys: str
    webhook_allow: str = ""
    log_level: str = "INFO"
    workers: int = 1
    is_simulated: bool = True

    def url(self, part: str) -> str:
        return f"http://{HOST}:{self.ports[part]}"

    def metrics_url(self, part: str) -> str:
        """Where a program exports its metrics; empty where it exports none."""
        port = self.ports.get(metrics_of(part))
        return f"http://{HOST}:{port}/metrics" if port else ""


def valkey(binary: Path, *, port: int, folder: Path) -> Part:
    """The embedded server: append-only, on disk before it answers, loopback only."""
    url = f"redis://{HOST}:{port}/0"
    options = {
        "--port": str(port),
        "--bind": HOST,
        "--dir": str(folder),
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--databases": "16",
    }
    command = (str(binary), *(word for option in options.items() for word in option))
    return Part(VALKEY, command, AnswersRedis(url), url=url, note="instead of a Redis of your own")


def parts_of(plan: Plan) -> list[Part]:
    """Every part but the embedded server, in the order in which they start."""
    simulator = [_simulator(plan)] if plan.is_simulated else []
    workers = [_worker(plan, number) for number in range(1, plan.workers + 1)]
    return [*simulator, _gateway(plan), *workers, _flower(plan), _inspector(plan)]


def worker_name(number: int) -> str:
    """What the first, second and later worker are called."""
    return WORKER if number == 1 else f"{WORKER}-{number}"


def metrics_of(part: str) -> str:
    """What the port of a program's metrics is called."""
    return f"{part}-{METRICS}"


def _simulator(plan: Plan) -> Part:
    return Part(
        SIMULATOR,
        python_command("ops.simulator", "--host", HOST, "--port", str(plan.ports[SIMULATOR])),
        AnswersHttp(f"{plan.url(SIMULATOR)}/_sim/health"),
        url=plan.url(SIMULATOR),
        note="instead of RunComfy",
        environment={"DARKROOM_SIMULATOR_TOKEN": plan.runcomfy_token},
    )


def _gateway(plan: Plan) -> Part:
    return Part(
        GATEWAY,
        gateway_command(host=HOST, port=plan.ports[GATEWAY]),
        AnswersHttp(f"{plan.url(GATEWAY)}/readyz"),
        url=plan.url(GATEWAY),
        note=_noted(f"docs at {plan.url(GATEWAY)}/docs", plan.metrics_url(GATEWAY)),
        metrics=plan.metrics_url(GATEWAY),
        environment={
            **_stored(plan),
            "DARKROOM_GATEWAY_METRICS_PORT": str(plan.ports.get(metrics_of(GATEWAY), 0)),
        },
    )


def _worker(plan: Plan, number: int) -> Part:
    name = worker_name(number)
    environment = {
        **_stored(plan),
        "DARKROOM_LOG_LEVEL": "DEBUG" if plan.log_level.upper() == "DEBUG" else "INFO",
        "RUNCOMFY_API_TOKEN": plan.runcomfy_token,
        "RUNCOMFY_MODEL_API_BASE": plan.runcomfy_base,
        "DARKROOM_SIGNING_KEYS": plan.signing_keys,
        "DARKROOM_WORKER_METRICS_PORT": str(plan.ports.get(metrics_of(name), 0)),
    }
    metrics = plan.metrics_url(name)
    note = _noted(f"asks {plan.runcomfy_base}", metrics)
    command = worker_command(name)
    return Part(name, command, WORKER_READY, note=note, metrics=metrics, environment=environment)


def _flower(plan: Plan) -> Part:
    listening = (f"--address={HOST}", f"--port={plan.ports[FLOWER]}")
    return Part(
        FLOWER,
        python_command("celery", "-A", "worker", "flower", *listening, "--read-only"),
        AnswersHttp(f"{plan.url(FLOWER)}/healthcheck"),
        url=plan.url(FLOWER),
        note="shows workers and tasks",
        environment={**_stored(plan), "FLOWER_BASIC_AUTH": plan.flower_login},
    )


def _inspector(plan: Plan) -> Part:
    return Part(
        INSPECTOR,
        python_command("ops.inspector", "--host", HOST, "--port", str(plan.ports[INSPECTOR])),
        AnswersHttp(f"{plan.url(INSPECTOR)}/api/callbacks"),
        url=plan.url(INSPECTOR),
        note="shows every callback",
        environment={
            "DARKROOM_INSPECTOR_SECRET": plan.webhook_secret,
            "DARKROOM_INSPECTOR_PUBLIC_KEYS": plan.public_keys,
        },
    )


def gateway_command(*, host: str, port: int, workers: int = 1) -> tuple[str, ...]:
    """The gateway, as ``granian`` starts it.

    HTTP/1 alone, as proxies speak it to what is behind them: a connection that may be either
    costs 12 kB more, and thousands may wait.
    """
    served = ("--interface", "asgi", "--factory", "--http", "1", "--no-ws")
    opened = ("--backlog", str(BACKLOG), "--backpressure", str(OPEN_AT_ONCE))
    listening = ("--host", host, "--port", str(port), "--workers", str(workers))
    return python_command("granian", *served, *opened, *listening, "api_gateway:create_app")


def worker_command(name: str, *options: str) -> tuple[str, ...]:
    """A worker, as ``celery`` starts it."""
    named = ("-n", f"{name}@%h", "--loglevel", "INFO")
    return python_command("celery", "-A", "worker", "worker", *named, *options)


def _stored(plan: Plan) -> dict[str, str]:
    return {"DARKROOM_REDIS_URL": plan.redis_url, "DARKROOM_WEBHOOK_ALLOW": plan.webhook_allow}


def _noted(note: str, metrics: str) -> str:
    return f"{note}, metrics at {metrics}" if metrics else note


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """A module as a program of the Python that runs this."""
    return (sys.executable, "-m", module, *arguments)
