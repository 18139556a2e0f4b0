"""The settings of every program: what is not valid, what is misspelt, and what each means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from generations.durability import Finding, Level
from generations.settings import GatewaySettings, WorkerSettings, explain
from ops.inspector.settings import InspectorSettings
from ops.local.settings import CallerSettings, LocalSettings
from ops.simulator.settings import SimulatorSettings

#: The programs that are started one by one; a worker alone needs RunComfy's token.
PROGRAMS: Final[Mapping[str, type[BaseSettings]]] = {
    "gateway": GatewaySettings,
    "worker": WorkerSettings,
}
PARTS: Final[tuple[type[BaseSettings], ...]] = (
    LocalSettings,
    CallerSettings,
    InspectorSettings,
    SimulatorSettings,
)
OURS: Final = ("DARKROOM_", "RUNCOMFY_")
#: A file that holds a secret is named by the secret's own name and this.
FILE: Final = "_FILE"
HIDDEN: Final = "(set)"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that a program reads."""

    name: str
    about: FieldInfo

    @property
    def is_secret(self) -> bool:
        return "SecretStr" in str(self.about.annotation)

    @property
    def default(self) -> str:
        """As it would be written in the environment."""
        return _written(self.about.get_default(call_default_factory=True))


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it is now."""

    name: str
    value: str
    is_set: bool
    means: str


def variables_of(kind: type[BaseSettings]) -> Iterator[Variable]:
    """Every variable that one program reads."""
    for field, about in kind.model_fields.items():
        alias = about.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias else []
        prefixed = f"{kind.model_config.get('env_prefix', '')}{field}".upper()
        for name in names or [prefixed]:
            yield Variable(str(name), about)


def examine_settings(environment: Mapping[str, str]) -> list[Finding]:
    """What the environment has of ours that is not valid, or that nobody reads."""
    wrong = [*_invalid(), *_unknown(environment)]
    return wrong or [Finding("settings", Level.OK, "all that is set is known and valid")]


def _invalid() -> Iterator[Finding]:
    said = set()
    for program, kind in PROGRAMS.items():
        try:
            kind()
        except ValidationError as error:
            is_token_only = all(found["type"] == "missing" for found in error.errors())
            # That there is no token is said where RunComfy is looked at.
            if not is_token_only and (sentence := explain(error)) not in said:
                said.add(sentence)
                yield Finding("settings", Level.PROBLEM, f"{program} does not start", sentence)


def _unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    kinds = (*PROGRAMS.values(), *PARTS)
    known = {variable.name for kind in kinds for variable in variables_of(kind)}
    for name in sorted(environment):
        plain = name.removesuffix(FILE)
        if name.startswith(OURS) and name not in known and plain not in known:
            meant = get_close_matches(name, known, n=1, cutoff=0.8)
            advice = f"Did you mean {meant[0]}?" if meant else "See .env.example for all there are."
            yield Finding("settings", Level.WARNING, f"{name} is set, and nobody reads it", advice)


def settings_now(environment: Mapping[str, str]) -> list[Setting]:
    """Every setting of gateway and worker: its value or default, and what it means."""
    variables = {v.name: v for kind in PROGRAMS.values() for v in variables_of(kind)}
    return [_setting(variable, environment) for _, variable in sorted(variables.items())]


def _setting(variable: Variable, environment: Mapping[str, str]) -> Setting:
    given = environment.get(variable.name) or environment.get(variable.name + FILE)
    shown = HIDDEN if given and variable.is_secret else given or variable.default
    means = " ".join((variable.about.description or "").split())
    return Setting(variable.name, shown, is_set=bool(given), means=means)


def _written(value: Any) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    if isinstance(value, SecretStr):
        # A default is no secret.
        return value.get_secret_value()
    return "" if value is None or "Undefined" in str(value) else str(value)
