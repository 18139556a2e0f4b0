"""What the local stack is told from outside; the environment is read here and nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import AliasChoices, Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

import ops
from generations.secret_files import SettingsFromFiles
from generations.settings import check_signing_keys

HOST: Final = "127.0.0.1"
RUNCOMFY_BASE: Final = "https://model-api.runcomfy.net/v1"

#: What the demo takes over from its caller: it must never meet a real Redis or a real account.
_KEPT_BY_THE_DEMO: Final = ("DARKROOM_SIMULATOR_", "DARKROOM_LOG_LEVEL")
_OURS: Final = ("DARKROOM_", "RUNCOMFY_", "FLOWER_", "CELERY_", "GRANIAN_")


class LocalSettings(SettingsFromFiles):
    """Ports, and the two things that may be real instead of local."""

    model_config = SettingsConfigDict(
        env_prefix="DARKROOM_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    gateway_port: int = Field(default=8080, ge=1, le=65535)
    flower_port: int = Field(default=5555, ge=1, le=65535)
    simulator_port: int = Field(default=8090, ge=1, le=65535)
    inspector_port: int = Field(default=8091, ge=1, le=65535)
    valkey_port: int = Field(default=6380, ge=1, le=65535)
    #: 0: metrics are exported nowhere.
    gateway_metrics_port: int = Field(default=9539, ge=0, le=65535)
    worker_metrics_port: int = Field(default=9540, ge=0, le=65535)
    #: Set: no embedded server.
    redis_url: SecretStr | None = None
    webhook_allow: str = ""
    log_level: str = "INFO"
    #: Set: the workers sign with these, and not with a key of the folder's.
    signing_keys: SecretStr | None = None
    #: Set: no simulator.
    runcomfy_api_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("RUNCOMFY_API_TOKEN")
    )
    runcomfy_model_api_base: str = Field(
        default=RUNCOMFY_BASE, validation_alias=AliasChoices("RUNCOMFY_MODEL_API_BASE")
    )
    #: Where the balance is asked for; RunComfy's own command line reads the same variable.
    runcomfy_serverless_api_base: str | None = Field(
        default=None, validation_alias=AliasChoices("RUNCOMFY_SERVERLESS_API_BASE")
    )

    _are_signing_keys = field_validator("signing_keys")(check_signing_keys)

    @property
    def ports(self) -> dict[str, int]:
        """The port that each part should have."""
        names = ("valkey", "simulator", "gateway", "flower", "inspector")
        metrics = {
            "gateway-metrics": self.gateway_metrics_port,
            "worker-metrics": self.worker_metrics_port,
        }
        return {name: getattr(self, f"{name}_port") for name in names} | metrics


class CallerSettings(SettingsFromFiles):
    """Which gateway is called, and with which key, where it is not that of a local stack."""

    model_config = SettingsConfigDict(
        env_prefix="DARKROOM_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    gateway_url: HttpUrl | None = None
    api_key: SecretStr | None = None


def inherited_environment() -> dict[str, str]:
    """The environment that parts are started with, before what each of them is told."""
    environment = dict(os.environ)
    root = Path(ops.__file__).parents[1]
    if "site-packages" not in root.parts:
        # Run from a checkout that is not installed: parts must find the same packages.
        paths = [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def demo_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without settings of ours, but for the simulator's and the log level."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_KEPT_BY_THE_DEMO) or not name.startswith(_OURS)
    }
