"""URLs of Redis servers: one spelling for all of Darkroom, and kombu's made from it."""

from typing import Final
from urllib.parse import quote

import pytest
from kombu import Connection

from generations.servers import SentinelUrl, check_url, for_kombu, with_database

ODD: Final = "p@:;,/?#%[ ]&ß"
NAMED: Final = "sentinel://one:26380,two/3?master=darkroom"


def read(url: str) -> SentinelUrl:
    found = SentinelUrl.parse(url)
    assert found is not None
    return found


def test_a_sentinel_url_names_sentinels_a_master_and_a_database() -> None:
    assert read(NAMED) == SentinelUrl((("one", 26380), ("two", 26379)), "darkroom", 3)
    assert read("sentinel://one?master=m").database == 0


@pytest.mark.parametrize("url", ["redis://:secret@host:6379/2", "rediss://host/1"])
def test_any_other_url_is_left_to_the_library(url: str) -> None:
    check_url(url)
    assert SentinelUrl.parse(url) is None
    assert for_kombu(url) == (url, {})


@pytest.mark.parametrize("secret", [ODD, "a:b", "secret"])
@pytest.mark.parametrize("user", ["", "darkroom", "d@r:k"])
def test_user_and_password_may_hold_any_sign(user: str, secret: str) -> None:
    userinfo = f"{quote(user, safe='')}:{quote(secret, safe='')}"
    found = read(f"sentinel://{userinfo}@one,two:1/0?master=m")
    assert (found.username, found.password) == (user or None, secret)
    assert found.sentinels == (("one", 26379), ("two", 1))


def test_a_colon_in_a_password_needs_no_encoding() -> None:
    assert read("sentinel://:a:b@one?master=m").password == "a:b"


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(read("sentinel://:secret@one?master=m"))


def test_addresses_of_version_six_stand_in_brackets() -> None:
    found = read("sentinel://[::1]:5000,[fd00::2]/0?master=m")
    assert found.sentinels == (("::1", 5000), ("fd00::2", 26379))
    url, _ = for_kombu("sentinel://[::1]:5000/1?master=m")
    assert (Connection(url).hostname, Connection(url).port) == ("::1", 5000)


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://one:26379/0",
        "sentinel://one:26379/0?master=",
        "sentinel:///0?master=m",
        "sentinel://:secret@/0?master=m",
        "sentinel://one,,two/0?master=m",
        "sentinel://:26379/0?master=m",
        "sentinel://one:port/0?master=m",
        "sentinel://one/first?master=m",
        "http://one:6379/0",
        "unix:/run/redis.sock",  # Celery knows no such broker.
        "one:6379",
        "",
    ],
)
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("redis://:p%40@host:6379/0", "redis://:p%40@host:6379/1"),
        ("redis://host", "redis://host/1"),
        (NAMED, "sentinel://one:26380,two/1?master=darkroom"),
    ],
)
def test_another_database_of_the_same_server(url: str, other: str) -> None:
    assert with_database(url, 1) == other


def test_kombu_is_told_the_master_beside_the_url() -> None:
    spelled, options = for_kombu(NAMED)
    assert spelled == "sentinel://one:26380/3;sentinel://two:26379/3"
    assert options == {"master_name": "darkroom"}


@pytest.mark.parametrize("hosts", ["one", "one:1,two:2", "one,two,three"])
def test_kombu_reads_password_and_database_whichever_sentinel_it_asks(hosts: str) -> None:
    spelled, options = for_kombu(f"sentinel://me:{quote(ODD, safe='')}@{hosts}/1?master=m")
    for url in spelled.split(";"):
        connection = Connection(url, transport_options=options)
        assert connection.transport_cls == "sentinel"
        assert (connection.userid, connection.password) == ("me", ODD)
        assert connection.virtual_host == "1"
    assert Connection(spelled).virtual_host == "1"
    assert len(Connection(spelled).alt or [spelled]) == len(hosts.split(","))
