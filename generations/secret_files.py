"""Settings from files, as secrets are mounted: the file named by ``NAME_FILE`` holds ``NAME``."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError


class SettingsFromFiles(BaseSettings):
    """Settings, each of which may also be what a file holds.

    Where both are given, the environment's own value counts.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The usual sources but for ``.env``, which is read by what starts us, and the files."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, Files(settings_cls)


class Files(PydanticBaseSettingsSource):
    """What the files hold, by the names of the fields."""

    def __call__(self) -> dict[str, Any]:
        """Every setting that a file holds; an empty file sets nothing."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """What the file of one field holds, without space around it; None where there is none.

        Raises:
            SettingsError: it cannot be read.
        """
        for variable in self._variables(field, field_name):
            path = os.environ.get(f"{variable}_FILE")
            if path:
                return _text_of(Path(path), variable), field_name, False
        return None, field_name, False

    def _variables(self, field: FieldInfo, field_name: str) -> Iterator[str]:
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (choice for choice in alias.choices if isinstance(choice, str))
        else:
            yield f"{self.config.get('env_prefix', '')}{field_name}".upper()


def _text_of(path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        # Its kind alone: what is said about a text that cannot be read may quote it.
        reason = exc.strerror if isinstance(exc, OSError) else "it is no UTF-8 text"
        raise SettingsError(
            f"{variable}_FILE names a file that cannot be read: {reason}."
        ) from None
