"""Connections to hosts that origins named: to addresses that were checked, and no others.

Checking a name beforehand would not do: it may resolve to something else a moment later.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from generations.addresses import Allowed, check_address, literal_address
from generations.errors import AddressNotAllowed

CONNECTIONS: Final = 200


@dataclass(slots=True)
class Dialled:
    """The IP address that was dialled last, once there is one, and how often it was dialled."""

    address: str | None = None
    dials: int = 0


_dialled: ContextVar[Dialled | None] = ContextVar("dialled", default=None)


@contextmanager
def noting_address() -> Iterator[Dialled]:
    """Note what is dialled within this context."""
    noted = Dialled()
    before = _dialled.set(noted)
    try:
        yield noted
    finally:
        _dialled.reset(before)


def _note(peer: Any) -> None:
    noted = _dialled.get()
    if noted is not None and isinstance(peer, tuple):
        noted.address = str(peer[0]).partition("%")[0]


class CheckedResolver(AbstractResolver):
    """Resolves names, and refuses those that resolve to anything but allowed addresses."""

    def __init__(self, allowed: Allowed, resolver: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            AddressNotAllowed: one of them is neither public nor allowed.
            OSError: it does not resolve.
        """
        try:
            found = await self._resolver.resolve(host, port, family)
        except UnicodeError as exc:
            # What getaddrinfo says of a label that is empty or longer than 63 signs.
            raise OSError("This is no host name.") from exc
        if not found:
            # aiohttp takes it for granted that there is one.
            raise OSError("The host has no address.")
        if host.lower().rstrip(".") not in self._allowed.hosts:
            for result in found:
                self._check(result["host"])
        return found

    def _check(self, text: str) -> None:
        address = literal_address(text)
        if address is None:
            raise AddressNotAllowed
        check_address(address, self._allowed)

    async def close(self) -> None:
        """Release what the resolver holds."""
        await self._resolver.close()


class NotingConnector(aiohttp.TCPConnector):
    """Notes the address of every connection that it makes, or uses again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(socket_factory=_noted_socket, **options)

    async def connect(self, *asked: Any, **options: Any) -> Any:
        """A connection, as the parent gives it."""
        connection = await super().connect(*asked, **options)
        if connection.transport is not None:
            _note(connection.transport.get_extra_info("peername"))
        return connection


def _noted_socket(found: Any) -> socket.socket:
    # Noted before it connects, so that an address that does not answer is known as well.
    family, kind, protocol, _, peer = found
    _note(peer)
    return socket.socket(family, kind, protocol)


def checked_session(
    allowed: Allowed, resolver: AbstractResolver | None = None, *, connections: int = CONNECTIONS
) -> aiohttp.ClientSession:
    """A session that connects to allowed addresses only, and keeps nothing of anyone's.

    A literal address never reaches the resolver: whoever sends checks the host as well.
    """
    connector = NotingConnector(
        limit=connections,
        resolver=CheckedResolver(allowed, resolver),
        # A cached answer would be one that was checked for another moment.
        use_dns_cache=False,
    )
    # What is read is bounded, so nothing is unpacked.
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    )
