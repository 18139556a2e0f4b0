"""Settings, read from the environment here and nowhere else. ``.env.example`` mirrors them."""

import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    HttpUrl,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from generations.addresses import Allowed
from generations.limits import UpstreamLimits
from generations.secret_files import SettingsFromFiles
from generations.servers import check_url, with_database

_S = TypeVar("_S", bound=BaseSettings)

DEFAULT_REDIS_URL: Final = "redis://127.0.0.1:6379/0"


def _read_seconds(value: Any) -> Any:
    # The environment holds text, and pydantic takes "10" for a malformed ISO 8601 duration.
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


#: How many ports are tried for metrics: as many programs of one kind may share a machine.
METRICS_REACH: Final = 20

Port = Annotated[int, Field(ge=0, le=65535)]
#: Seconds in the environment (``10``, ``0.5``), or ISO 8601 (``PT24H``); never negative.
Duration = Annotated[timedelta, BeforeValidator(_read_seconds), Field(ge=timedelta())]


#: So many a second.
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def check_signing_keys(value: SecretStr | None) -> SecretStr | None:
    """The same, if it is a list of signing keys or nothing; else a ValueError that hides it."""
    # Imported where it is needed, because it takes longer than all of the rest.
    from generations.signing_keys import parse_signing_keys

    if value is not None:
        parse_signing_keys(value.get_secret_value())
    return value


class StoreSettings(SettingsFromFiles):
    """What every program needs: where the records are, and how long they are kept."""

    model_config = SettingsConfigDict(
        env_prefix="DARKROOM_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,  # A line of .env.example without a value sets nothing.
        use_attribute_docstrings=True,  # The doctor explains every setting by its own words.
    )

    redis_url: SecretStr = SecretStr(DEFAULT_REDIS_URL)
    """Records and due index. A secret, because it may hold the server's password."""
    broker_url: SecretStr | None = None
    """Celery's messages, which are hints only; default: the same server, database 1."""
    deadline: Duration = timedelta(hours=24)
    """How long a generation may take, from its acceptance."""
    keep: Duration = timedelta(days=7)
    """How long finished generations and deliveries are kept. RunComfy keeps outputs 7 days."""
    webhook_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Endpoints beside the public ones that may be called: CIDRs and host names."""
    webhook_https_only: bool = False
    """Whether endpoints are called over https alone."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """What is logged: lines of this level and above."""
    metrics_host: str = "127.0.0.1"
    """The address on which metrics are exported."""
    otlp_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where spans are collected, by OTLP over HTTP; unset: nowhere. OpenTelemetry's own
    variables, which its library reads too."""
    otlp_traces_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )
    """The same, as a whole URL, for spans alone."""

    @field_validator("webhook_allow", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        check_url(value.get_secret_value())
        return value

    @property
    def allowed(self) -> Allowed:
        """Endpoints that may be called beside the public ones."""
        return Allowed.parse(self.webhook_allow, https_only=self.webhook_https_only)

    @property
    def collects_traces(self) -> bool:
        """Whether there is a collector of spans."""
        return bool(self.otlp_endpoint or self.otlp_traces_endpoint)

    @property
    def broker(self) -> str:
        """The broker's URL."""
        if self.broker_url is not None:
            return self.broker_url.get_secret_value()
        return with_database(self.redis_url.get_secret_value(), 1)


class GatewaySettings(StoreSettings):
    """What the gateway needs."""

    max_body_bytes: PositiveInt = 1024 * 1024
    """The largest body that is read, in bytes."""
    max_batch_bytes: PositiveInt = 4 * 1024 * 1024
    """The largest batch that is read, in bytes; each of its creates is bounded as any other."""
    body_timeout: Duration = timedelta(seconds=30)
    """How long a body may take to arrive."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """The web pages that may call from a browser, as https://app.example; none by default."""
    cancel_wait: Duration = timedelta(seconds=10)
    """How long a cancel waits for RunComfy's word before it answers that it was asked for."""
    endpoint_test_wait: Duration = timedelta(seconds=10)
    """How long a test of an endpoint waits for its attempt before it answers that it is pending."""
    public_url: HttpUrl | None = None
    """The origin in status_url and its like; default: that of the request."""
    catalog_check: Duration = Field(default=timedelta(seconds=5), gt=timedelta())
    """How often it looks whether a worker has fetched another catalog."""
    docs: bool = True
    """Whether /docs and /openapi.json are served."""
    gateway_metrics_port: Port = 9539
    """Where /metrics is, or the next free port below it; 0 for nowhere."""

    @property
    def metrics_ports(self) -> Sequence[int]:
        """The ports that metrics may be exported on, the first that is free."""
        # Downwards, so that a gateway and a worker on one machine keep out of each other's way.
        first = self.gateway_metrics_port
        return range(first, max(first - METRICS_REACH, 0), -1) if first else ()

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", one) for one in value):
            message = "list them as browsers send them: https://app.example, with no path"
            raise ValueError(message)
        return value


class WorkerSettings(StoreSettings):
    """What a worker needs. There is no default token: a worker without one does not start."""

    runcomfy_api_token: SecretStr = Field(validation_alias=AliasChoices("RUNCOMFY_API_TOKEN"))
    """The account's token, from RunComfy's profile page. A worker without one does not start."""
    runcomfy_model_api_base: HttpUrl = Field(
        default=HttpUrl("https://model-api.runcomfy.net/v1"),
        validation_alias=AliasChoices("RUNCOMFY_MODEL_API_BASE"),
    )
    """RunComfy's own command line reads the same variable."""
    runcomfy_max_in_flight: PositiveInt | None = Field(
        default=None, validation_alias=AliasChoices("RUNCOMFY_MAX_IN_FLIGHT")
    )
    """How many generations RunComfy may have at a time, over all origins and workers."""
    runcomfy_requests_per_second: Rate | None = Field(
        default=None, validation_alias=AliasChoices("RUNCOMFY_REQUESTS_PER_SECOND")
    )
    """How many requests a second RunComfy may get from all workers."""
    submit_timeout: Duration = timedelta(seconds=60)
    """How long a submission may take before its answer counts as lost."""
    poll_timeout: Duration = timedelta(seconds=15)
    """How long a poll or a cancel may take."""
    attempt_timeout: Duration = timedelta(seconds=15)
    """How long one attempt of a delivery may take."""
    preflight_timeout: Duration = timedelta(seconds=5)
    """How long looking at a generation's images may take before it is submitted all the same."""
    connect_timeout: Duration = timedelta(seconds=5)
    """How long any connection to the outside may take to be made."""
    delivery_schedule: Annotated[tuple[Duration, ...], NoDecode] = tuple(
        timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    )
    """The waits between attempts of a delivery, in seconds; one attempt more than waits."""
    signing_keys: SecretStr | None = None
    """``whsk_…``, comma separated: all of them sign callbacks, beside the origins' secrets."""
    webhook_proxy: SecretStr | None = None
    """The http:// proxy that callbacks go through, with its credentials; default: none."""
    webhook_concurrency: PositiveInt = 50
    """Callbacks at once to one server (scheme, host and port), from all workers."""
    webhook_probe_interval: Duration = Field(default=timedelta(seconds=30), gt=timedelta())
    """How long a server that fails is left alone before one callback tries it again; twice as
    long each time that fails."""
    catalog_interval: Duration = timedelta(hours=1)
    """How old the catalog of models may be before a worker fetches it anew."""
    dispatch_interval: Duration = timedelta(milliseconds=25)
    """How often the dispatcher looks for what is due."""
    worker_metrics_port: Port = 9540
    """Where /metrics is, or the next free port above it; 0 for nowhere."""
    heartbeat_file: Path | None = None
    """A file that the worker touches while it works, for whoever supervises it."""

    @field_validator("webhook_proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_http_proxy(value.get_secret_value()):
            raise ValueError("write it as http://user:password@host:port")
        return value

    @field_validator("delivery_schedule", mode="before")
    @classmethod
    def _split_seconds(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    _are_signing_keys = field_validator("signing_keys")(check_signing_keys)

    @property
    def metrics_ports(self) -> Sequence[int]:
        """The ports that metrics may be exported on, the first that is free."""
        first = self.worker_metrics_port
        return range(first, min(first + METRICS_REACH, 65536)) if first else ()

    @property
    def upstream(self) -> UpstreamLimits:
        """What RunComfy may get at most."""
        return UpstreamLimits(
            max_in_flight=self.runcomfy_max_in_flight,
            requests_per_second=self.runcomfy_requests_per_second,
        )

    @property
    def egress_proxy(self) -> str | None:
        """The URL of the proxy that callbacks go through, with what is secret in it."""
        return self.webhook_proxy.get_secret_value() if self.webhook_proxy else None

    @property
    def api_base(self) -> str:
        """RunComfy's Model API, without a slash at the end."""
        return str(self.runcomfy_model_api_base).rstrip("/")


def _is_http_proxy(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port  # Raises where it is no number below 65,536.
    except ValueError:
        return False
    return url.scheme == "http" and bool(url.hostname) and url.path in {"", "/"}


def load_settings(settings: type[_S]) -> _S:
    """A program's settings; where they are not usable, a sentence on stderr and exit code 2."""
    try:
        return settings()
    except ValidationError as error:
        sys.stderr.write(f"darkroom: {explain(error)}\n")
        raise SystemExit(2) from None
    except SettingsError as error:
        sys.stderr.write(f"darkroom: {error}\n")
        raise SystemExit(2) from None


def explain(error: ValidationError) -> str:
    """What to set, in a sentence per setting, and never the value that was found."""
    sentences = []
    for found in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(found["loc"][0]) if found["loc"] else "environment"
        variable = name if name.isupper() else f"DARKROOM_{name.upper()}"
        said = "is not set" if found["type"] == "missing" else f"is not valid: {found['msg']}"
        sentences.append(f"{variable} {said}.")
    return " ".join(sentences) + " See .env.example for every setting."
