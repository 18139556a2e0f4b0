"""How the URLs of Redis servers are read, alone and behind Sentinels. Pure.

``redis://[:password@]host:6379/0`` names one server;
``sentinel://[:password@]host:26379,host:26379/0?master=name`` the one that Sentinels name.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

SENTINEL: Final = "sentinel"
SENTINEL_PORT: Final = 26379


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """What a ``sentinel://`` URL says."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    database: int
    password: str | None

    @classmethod
    def parse(cls, url: str) -> "SentinelUrl | None":
        """None for every other kind of URL.

        Raises:
            ValueError: it names no Sentinel, or no master.
        """
        parts = urlsplit(url)
        if parts.scheme != SENTINEL:
            return None
        userinfo, _, hosts = parts.netloc.rpartition("@")
        master = parse_qs(parts.query).get("master", [""])[0]
        if not hosts or not master:
            raise ValueError("A sentinel:// URL needs a host and ?master=<name>.")
        return cls(
            sentinels=tuple(_host_and_port(host) for host in hosts.split(",")),
            master=master,
            database=int(parts.path.strip("/") or 0),
            password=unquote(userinfo.rpartition(":")[2]) or None,
        )


def check_url(url: str) -> None:
    """Accept a URL that names a server.

    Raises:
        ValueError: it does not; the text says what it must look like.
    """
    if urlsplit(url).scheme not in {"redis", "rediss", "unix", SENTINEL}:
        raise ValueError("it must begin with redis://, rediss://, unix:// or sentinel://")
    SentinelUrl.parse(url)


def with_database(url: str, database: int) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def for_kombu(url: str) -> tuple[str, dict[str, str]]:
    """A broker's URL as kombu spells it, and the transport options that go with it."""
    sentinel = SentinelUrl.parse(url)
    if sentinel is None:
        return url, {}
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    prefix = f"{SENTINEL}://{userinfo}@" if userinfo else f"{SENTINEL}://"
    spelled = ";".join(f"{prefix}{host}:{port}" for host, port in sentinel.sentinels)
    return f"{spelled}/{sentinel.database}", {"master_name": sentinel.master}


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or SENTINEL_PORT)
