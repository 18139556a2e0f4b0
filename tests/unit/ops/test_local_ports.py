"""Ports of the local stack: its own where they are free, else the next."""

import socket

import pytest

from ops.local.errors import NoFreePort
from ops.local.ports import REACH, choose_ports, is_free, out_of_the_way
from ops.local.settings import HOST


def test_free_ports_are_kept() -> None:
    wanted = {"gateway": 8080, "flower": 5555}
    assert choose_ports(wanted, is_free=lambda _: True) == (wanted, [])


def test_a_taken_port_gives_way_to_the_next_free_one_and_says_so() -> None:
    chosen, taken = choose_ports({"gateway": 8080}, is_free=lambda port: port > 8081)
    assert chosen == {"gateway": 8082}
    assert [str(one) for one in taken] == ["Port 8080 is in use; gateway takes 8082."]


def test_two_parts_never_get_the_same_port() -> None:
    wanted = {"simulator": 8090, "inspector": 8091}
    chosen, _ = choose_ports(wanted, is_free=lambda port: port != 8090)
    assert chosen == {"simulator": 8091, "inspector": 8092}


def test_without_any_free_port_the_sentence_names_the_part() -> None:
    with pytest.raises(NoFreePort, match=f"8080 to {8080 + REACH} are in use.*gateway"):
        choose_ports({"gateway": 8080}, is_free=lambda _: False)


def test_no_port_beyond_the_last_one_is_tried() -> None:
    with pytest.raises(NoFreePort):
        choose_ports({"gateway": 65_535}, is_free=lambda port: port < 65_535)


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((HOST, 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_the_demos_ports_lie_below_those_of_outgoing_connections() -> None:
    assert all(20_000 <= port < 32_768 for port in out_of_the_way(["a", "b"]).values())
