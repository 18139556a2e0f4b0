"""The resolver of callbacks: a connection is made to addresses that were checked, no others.

Checking the name beforehand would not do: it may resolve to something else a moment later.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from generations.addresses import Allowed, check_address, literal_address
from generations.errors import AddressNotAllowed


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
