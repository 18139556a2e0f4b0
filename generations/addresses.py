"""Which callback addresses may be called. Pure: names are resolved elsewhere, and checked here.

Checked at submit (the URL as written) and again at every attempt (each address that the
connection would really use), so that a name cannot be pointed elsewhere in between.
"""

import re
import socket
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final
from urllib.parse import SplitResult, urlsplit

from generations.errors import AddressNotAllowed, HttpsRequired, InvalidWebhook

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL: Final = 2048
#: urlsplit leaves out what follows a bracket, and takes more than IPv6 within.
_BRACKETED: Final = re.compile(r"\[[0-9A-Fa-f:.]+(%\w+)?\](:\d*)?")

#: Not for the public, or ways to write such an address, beyond what ``is_global`` knows.
NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # Carrier-grade NAT.
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays.
        "198.18.0.0/15",  # Benchmarks.
        "224.0.0.0/4",  # Multicast.
        "240.0.0.0/4",
        # Only 2000::/3 is public at all: below it are v4-compatible, v4-translated and NAT64
        # addresses, above it segment routing, site-local and multicast.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",  # Teredo and other protocol assignments.
        "2001:db8::/32",  # Documentation.
        "2002::/16",  # 6to4.
        "3fff::/20",  # Documentation.
    )
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an operator allows beside the public addresses."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    #: Whether endpoints are called over https alone, the allowed ones too.
    https_only: bool = False

    @classmethod
    def parse(cls, entries: Iterable[str], *, https_only: bool = False) -> "Allowed":
        """From CIDRs, addresses and host names."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                hosts.add(entry.lower().rstrip("."))
        return cls(tuple(networks), frozenset(hosts), https_only)


def check_webhook(url: str, allowed: Allowed) -> None:
    """Accept a URL as an endpoint, as far as its text tells.

    Raises:
        InvalidWebhook: it is no absolute http(s) URL.
        HttpsRequired: it is no https URL, and no others may be called.
        AddressNotAllowed: it names an address that is neither public nor allowed.
    """
    host = host_of(url)
    check_scheme(urlsplit(url).scheme, allowed)
    check_host(host, allowed)


def check_scheme(scheme: str, allowed: Allowed) -> None:
    """Accept the scheme that an endpoint would be called by.

    Raises:
        HttpsRequired: it is not https, and no others may be called.
    """
    if allowed.https_only and scheme != "https":
        raise HttpsRequired


def check_host(host: str, allowed: Allowed) -> None:
    """Accept the host that a connection would be made to, as far as its text tells.

    Raises:
        AddressNotAllowed: it spells an address that is neither public nor allowed.
    """
    host = host.lower().rstrip(".")
    if host in allowed.hosts:
        return
    address = literal_address(host)
    if address is None:
        if host == "localhost" or host.endswith(".localhost"):
            raise AddressNotAllowed
        return
    check_address(address, allowed)


def check_address(address: Address, allowed: Allowed) -> None:
    """Accept an address that a connection would be made to.

    Raises:
        AddressNotAllowed: it is neither public nor allowed.
    """
    plain = _unwrapped(address)
    if any(plain.version == net.version and plain in net for net in allowed.networks):
        return
    if not _is_public(plain):
        raise AddressNotAllowed


def host_of(url: str) -> str:
    """The host of an absolute http(s) URL, in lower case, without brackets or trailing dot.

    Full-width letters, circled digits and other spellings of ASCII read as what they spell:
    a client that encodes the name (IDNA) may well connect to that.

    Raises:
        InvalidWebhook: it is no such URL.
    """
    parts = _split(url)
    plain = unicodedata.normalize("NFKC", parts.hostname or "").replace("\u3002", ".")
    host = plain.lower().rstrip(".")
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise InvalidWebhook
    if "%" in host and ":" not in host:  # Only an IPv6 address has one, before its scope.
        raise InvalidWebhook
    return host


def server_of(url: str) -> str:
    """What of a URL names the server behind it: scheme, host and port, as in ``https://a.b:443``.

    Raises:
        InvalidWebhook: it is no absolute http(s) URL.
    """
    host, parts = host_of(url), _split(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://[{host}]:{port}" if ":" in host else f"{parts.scheme}://{host}:{port}"


def literal_address(host: str) -> Address | None:
    """The address that a host spells out, also in decimal, octal or hexadecimal; else None."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # What connect() would make of "2130706433", "0177.1" or "0x7f.1".
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL or not url.isprintable() or any(c in url for c in ' "<>\\^`{|}'):
        raise InvalidWebhook
    try:
        parts = urlsplit(url)
        _ = parts.port  # Raises where it is no number below 65,536.
    except ValueError as exc:
        raise InvalidWebhook from exc
    if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
        raise InvalidWebhook
    return parts


def _unwrapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_public(address: Address) -> bool:
    listed = any(address.version == net.version and address in net for net in NOT_PUBLIC)
    return address.is_global and not listed
