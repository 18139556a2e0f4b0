"""Which ports on loopback are free."""

import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ops.local.errors import NoFreePort
from ops.local.settings import HOST

#: How many ports after the wanted one are tried.
REACH: Final = 100


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A port that another program holds, and the one that is used instead."""

    part: str
    wanted: int
    instead: int

    def __str__(self) -> str:
        return f"Port {self.wanted} is in use; {self.part} takes {self.instead}."


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: a connection that was just closed does not count as use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_ports(
    wanted: Mapping[str, int], *, is_free: Callable[[int], bool] = is_free
) -> tuple[dict[str, int], list[TakenPort]]:
    """A free port for each part, its own or the next one, and where it is not its own.

    Raises:
        NoFreePort: a hundred ports in a row are in use.
    """
    chosen: dict[str, int] = {}
    for part, first in wanted.items():
        last = min(first + REACH, 65_535)
        free = (p for p in range(first, last + 1) if p not in chosen.values() and is_free(p))
        port = next(free, None)
        if port is None:
            sentence = f"Ports {first} to {last} are in use: choose another port for {part}."
            raise NoFreePort(sentence)
        chosen[part] = port
    instead = [TakenPort(part, p, chosen[part]) for part, p in wanted.items() if chosen[part] != p]
    return chosen, instead


def out_of_the_way(parts: list[str]) -> dict[str, int]:
    """Ports that nobody is likely to want.

    Below those that the system gives to outgoing connections: the parts open many of these
    while they start, and one of them could take a port that was free a moment ago.
    """
    first = random.randrange(20_000, 30_000)
    return {part: first + place for place, part in enumerate(parts)}
