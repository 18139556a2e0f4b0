"""How the URLs of Redis servers are read, alone and behind Sentinels. Pure.

``redis://[user:password@]host:6379/0`` names one server;
``sentinel://[user:password@]host:26379,host:26379/0?master=name`` the one that Sentinels name.
User and password are the server's; what is not a letter or a digit in them is percent-encoded.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

SENTINEL: Final = "sentinel"
SENTINEL_PORT: Final = 26379


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """What a ``sentinel://`` URL says."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    database: int
    username: str | None = None
    password: str | None = field(repr=False, default=None)

    @classmethod
    def parse(cls, url: str) -> "SentinelUrl | None":
        """None for every other kind of URL.

        Raises:
            ValueError: it names no Sentinel, no master, or no number where one belongs.
        """
        parts = urlsplit(url)
        if parts.scheme != SENTINEL:
            return None
        userinfo, _, hosts = parts.netloc.rpartition("@")
        username, _, password = userinfo.partition(":")
        master = parse_qs(parts.query).get("master", [""])[0]
        if not hosts or not master:
            raise ValueError("A sentinel:// URL needs a host and ?master=<name>.")
        return cls(
            sentinels=tuple(_host_and_port(host) for host in hosts.split(",")),
            master=master,
            database=int(parts.path.strip("/") or 0),
            username=unquote(username) or None,
            password=unquote(password) or None,
        )


def check_url(url: str) -> None:
    """Accept a URL that names a server.

    Raises:
        ValueError: it does not; the text says what it must look like.
    """
    if urlsplit(url).scheme not in {"redis", "rediss", SENTINEL}:
        raise ValueError("it must begin with redis://, rediss:// or sentinel://")
    SentinelUrl.parse(url)


def with_database(url: str, database: int) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def for_kombu(url: str) -> tuple[str, dict[str, str]]:
    """A broker's URL as kombu spells it, and the transport options that go with it."""
    sentinel = SentinelUrl.parse(url)
    if sentinel is None:
        return url, {}
    userinfo = ""
    if sentinel.password is not None:
        userinfo = f"{quote(sentinel.username or '', safe='')}:{quote(sentinel.password, safe='')}@"
    # Of several, kombu reads the database in the one that it is about to ask.
    spelled = ";".join(
        f"{SENTINEL}://{userinfo}{_bracketed(host)}:{port}/{sentinel.database}"
        for host, port in sentinel.sentinels
    )
    return spelled, {"master_name": sentinel.master}


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError("A sentinel:// URL needs a host before each port.")
    return parts.hostname, parts.port or SENTINEL_PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
