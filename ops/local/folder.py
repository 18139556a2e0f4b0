"""The folder of one local stack: its lock, its keys, its logs, the embedded server's files."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_serializer

from generations.settings import StoreSettings
from ops.local.errors import FolderInUse
from ops.local.settings import HOST

_S = TypeVar("_S", bound=StoreSettings)

DEFAULT_FOLDER: Final = Path(".darkroom")


class LocalRecord(BaseModel):
    """What is kept between runs, and read by commands in other terminals. Holds secrets."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    origin: str = "local"
    api_key: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    flower_login: SecretStr | None = None
    simulator_token: SecretStr | None = None
    signing_key: SecretStr | None = None
    #: Of the run that holds the lock; of the last one when none does.
    redis_url: SecretStr | None = None
    urls: dict[str, str] = {}

    @field_serializer(
        "api_key", "webhook_secret", "flower_login", "simulator_token", "signing_key", "redis_url"
    )
    def _in_the_open(self, secret: SecretStr | None) -> str | None:
        return secret.get_secret_value() if secret else None


class Folder:
    """Where one local stack keeps what it keeps."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.record_file = self.path / "local.json"
        #: The lock's file descriptor, while it is held here: who inherits it holds it too.
        self.held: tuple[int, ...] = ()
        self._lock_file = self.path / "up.lock"

    def make(self) -> None:
        """Make the folder, for this user only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("logs", "valkey"):
            (self.path / name).mkdir(exist_ok=True)

    def log_of(self, part: str) -> Path:
        return self.path / "logs" / f"{part}.log"

    def logs(self) -> list[Path]:
        """The logs of all parts; those of an earlier run are gone when a new one begins."""
        return sorted((self.path / "logs").glob("*.log"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the system lets go of it however this ends.

        Raises:
            FolderInUse: somebody else holds it.
        """
        self.make()
        with self._lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise FolderInUse(_in_use(self.path, lock.read().strip())) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            for log in self.logs():
                log.unlink()
            self.held = (lock.fileno(),)
            try:
                yield
            finally:
                self.held = ()

    @property
    def is_locked(self) -> bool:
        """Whether a local stack runs on this folder now."""
        try:
            with self._lock_file.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def read(self) -> LocalRecord:
        """What was kept; an empty record where there is none or it cannot be read."""
        try:
            return LocalRecord.model_validate_json(self.record_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return LocalRecord()

    def redis_url(self) -> str:
        """Where the records are: as :func:`store_settings` has it."""
        return store_settings(self).redis_url.get_secret_value()

    def write(self, record: LocalRecord) -> None:
        """Keep a record, readable by this user only, whole or not at all."""
        draft = self.record_file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(record.model_dump(), file, indent=2)
        draft.replace(self.record_file)


def store_settings(folder: Folder) -> StoreSettings:
    """Where the records are: as the environment says, else where a running ``up`` has them."""
    return beside(StoreSettings(), folder)


def beside(settings: _S, folder: Folder) -> _S:
    """The settings of a command that may have an ``up`` running beside it.

    That lets callbacks go to this machine, and has the records where the environment names none.
    """
    if not folder.is_locked:
        return settings
    update: dict[str, Any] = {"webhook_allow": (*settings.webhook_allow, HOST)}
    if "redis_url" not in settings.model_fields_set and (url := folder.read().redis_url):
        update["redis_url"] = url
    return settings.model_copy(update=update)


def _in_use(path: Path, pid: str) -> str:
    whose = f" (its process is {pid})" if pid else ""
    return (
        f"A 'darkroom up' already runs on {path}{whose}. "
        "Stop it first, or give this one another --folder."
    )
