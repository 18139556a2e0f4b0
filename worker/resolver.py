"""Connections to hosts that origins named: to addresses that were checked, and no others.

Checking a name beforehand would not do: it may resolve to something else a moment later.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from generations.addresses import Allowed, check_address, literal_address
from generations.errors import AddressNotAllowed

CONNECTIONS: Final = 200
#: Names that one process looks up at once.
LOOKUPS_AT_ONCE: Final = 64

#: As ``socket.getaddrinfo`` is called.
LookUp = Callable[..., list[Any]]


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


class SharedLookups(AbstractResolver):
    """The system's resolver, in threads of its own, with one lookup of a name at a time.

    Whoever asks for a name that is being looked up waits for that answer: a name whose servers
    do not answer holds one thread, however many callbacks go there, and the others have theirs.
    """

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="lookup")
        self._running: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host; OSError or UnicodeError where it has none."""
        asked = (host, int(family))
        if (running := self._running.get(asked)) is None:
            running = self._running[asked] = self._begin(host, family)
            running.add_done_callback(lambda done: self._end(asked, done))
        # Whoever stops waiting takes the answer from nobody else.
        found = await asyncio.shield(running)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    def _begin(self, host: str, family: socket.AddressFamily) -> asyncio.Future[list[Any]]:
        how = (family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, self._look_up, host, 0, *how)

    def _end(self, asked: tuple[str, int], done: asyncio.Future[list[Any]]) -> None:
        del self._running[asked]
        if not done.cancelled():
            # Looked at, or asyncio complains where nobody waits any more.
            done.exception()

    async def close(self) -> None:
        """Begin no more lookups; those that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """Resolves names, and refuses those that resolve to anything but allowed addresses."""

    def __init__(self, allowed: Allowed, resolver: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._resolver = resolver or SharedLookups()

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
