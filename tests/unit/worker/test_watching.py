"""Flower asks for a login, or is seen from this machine alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from worker.watching import FlowerSettings, UnsafeFlower, make_safe

LOGIN = "ops:s3cr3t"


def options(**given: Any) -> SimpleNamespace:
    unset = {"address": "", "basic_auth": None, "auth": "", "unix_socket": "", "read_only": False}
    return SimpleNamespace(**{**unset, **given})


def made_safe(found: SimpleNamespace, **settings: Any) -> SimpleNamespace:
    make_safe(found, FlowerSettings(**settings))
    return found


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLOWER_BASIC_AUTH", "FLOWER_BASIC_AUTH_FILE", "FLOWER_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.5", "::", "example.com"])
@pytest.mark.parametrize("basic_auth", [None, [], [""]])
def test_without_a_login_it_does_not_listen_to_others(
    address: str, basic_auth: list[str] | None
) -> None:
    with pytest.raises(UnsafeFlower, match="open to everybody"):
        made_safe(options(address=address, basic_auth=basic_auth))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_login(address: str) -> None:
    assert made_safe(options(address=address)).address == address


def test_without_login_and_address_it_listens_on_loopback() -> None:
    assert made_safe(options()).address == "127.0.0.1"


@pytest.mark.parametrize("given", [{"basic_auth": [LOGIN]}, {"auth": "a@example.com"}])
def test_with_a_login_it_listens_where_it_is_told(given: dict[str, Any]) -> None:
    assert made_safe(options(address="0.0.0.0", **given)).address == "0.0.0.0"
    assert made_safe(options(**given)).address == ""


def test_a_login_from_a_file_is_one() -> None:
    found = made_safe(options(address="0.0.0.0"), basic_auth=f"{LOGIN},a:b")
    assert found.basic_auth == [LOGIN, "a:b"]


@pytest.mark.parametrize("login", ["ops", "ops:", ":s3cr3t"])
def test_half_a_login_is_none(login: str) -> None:
    with pytest.raises(UnsafeFlower) as caught:
        made_safe(options(basic_auth=[login]))
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "setting", "read_only"),
    [(False, True, True), (True, False, True), (False, False, False)],
)
def test_it_changes_nothing_unless_it_may(asked: bool, setting: bool, read_only: bool) -> None:
    assert made_safe(options(read_only=asked), read_only=setting).read_only is read_only
