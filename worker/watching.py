"""What holds whenever Flower starts on this application, however it is started.

Flower shows who asks for what, and without a login it shows everybody; so it asks for one, or
listens to this machine alone. It changes nothing, unless it is told that it may.
"""

import ipaddress
import sys
from collections.abc import Iterable
from typing import Any, Final

import click
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict, SettingsError

from generations.secret_files import SettingsFromFiles

LOOPBACK: Final = "127.0.0.1"
#: Flower's own list of columns, and the one that shows which generations, and what came of it.
PLAIN_COLUMNS: Final = "name,uuid,state,received,runtime,worker"
COLUMNS: Final = "name,args,result,state,received,runtime,worker,uuid"


class FlowerSettings(SettingsFromFiles):
    """What Flower's own variables leave out: a login from a file, and reading only."""

    model_config = SettingsConfigDict(
        env_prefix="FLOWER_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    #: ``user:password``, several separated by commas.
    basic_auth: SecretStr | None = None
    read_only: bool = True


class UnsafeFlower(Exception):  # Said in full, it is no error of Flower's.
    """Flower was asked to do what would show it to strangers."""


def guard_flower() -> None:
    """Prepare this process if it is Flower: make it safe, or end it with a sentence and code 2.

    To be called when Flower has read its options and has not opened its port yet.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "flower":
        return
    from tornado.options import options

    if options.tasks_columns == PLAIN_COLUMNS:
        options.tasks_columns = COLUMNS
    try:
        make_safe(options, FlowerSettings())
    except (UnsafeFlower, SettingsError, ValueError) as error:
        sys.stderr.write(f"darkroom: {error}\n")
        raise SystemExit(2) from None


def make_safe(options: Any, settings: FlowerSettings) -> None:
    """Change Flower's options to what is safe.

    Raises:
        UnsafeFlower: they cannot be made so; with what to do.
    """
    options.read_only = options.read_only or settings.read_only
    logins = [login for login in options.basic_auth or () if login]
    if not logins and settings.basic_auth is not None:
        logins = settings.basic_auth.get_secret_value().split(",")
    options.basic_auth = logins
    _check_logins(logins)
    if logins or options.auth or options.unix_socket:
        return
    if not options.address:
        options.address = LOOPBACK
    elif not _is_loopback(options.address):
        raise UnsafeFlower(
            f"Flower would be open to everybody at {options.address}. Set FLOWER_BASIC_AUTH "
            "(user:password) or FLOWER_BASIC_AUTH_FILE, or listen on 127.0.0.1."
        )


def _check_logins(logins: Iterable[str]) -> None:
    for login in logins:
        user, _, password = login.partition(":")
        if not (user and password):
            raise UnsafeFlower("FLOWER_BASIC_AUTH is not valid: give it as user:password.")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
