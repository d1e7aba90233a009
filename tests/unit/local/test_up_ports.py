"""Relays of `up` listen on unprivileged ports that nobody else has, and keep them."""

import socket

import pytest

from mailhaul_operator.local.ports import NoPortError, Ports, any_port, is_free


def all_free(address: str, port: int) -> bool:
    return True


def test_the_ports_are_those_of_a_pod_when_they_are_free() -> None:
    ports = Ports("127.0.0.1", free=all_free)
    assert ports.listeners("a/b", (25, 587, 465)) == {25: 2525, 587: 2587, 465: 2465}
    assert ports.http("a/b") == 9090


def test_no_port_is_privileged() -> None:
    assert Ports("127.0.0.1", free=all_free).listeners("a/b", (26, 1023, 1024, 3025)) == {
        26: 2026,
        1023: 3023,
        1024: 1024,
        3025: 3025,
    }


def test_a_port_that_is_taken_gives_the_next_free_one() -> None:
    ports = Ports("127.0.0.1", free=lambda _, port: port not in {2525, 2526})
    assert ports.listeners("a/b", (25,)) == {25: 2527}
    assert ports.moved() == ("port 2525 is taken by another program; 2527 is used instead",)
    assert ports.moved() == ()


def test_two_relays_never_share_a_port() -> None:
    ports = Ports("127.0.0.1", free=all_free)
    assert ports.listeners("a/one", (25,)) == {25: 2525}
    assert ports.listeners("a/two", (25,)) == {25: 2526}
    assert ports.moved() == ()
    assert (ports.http("a/one"), ports.http("a/two")) == (9090, 9091)


def test_a_port_once_given_stays_though_it_is_taken_by_its_own_relay() -> None:
    taken: set[int] = set()
    ports = Ports("127.0.0.1", free=lambda _, port: port not in taken)
    first = ports.listeners("a/b", (25,))
    taken.update(first.values())
    assert ports.listeners("a/b", (25,)) == first


def test_a_base_counts_up() -> None:
    ports = Ports("127.0.0.1", 7000, all_free)
    assert ports.listeners("a/b", (25, 587)) == {25: 7000, 587: 7001}
    assert ports.http("a/b") == 7002


def test_no_free_port_is_told_with_the_remedy() -> None:
    with pytest.raises(NoPortError, match="--port-base"):
        Ports("127.0.0.1", free=lambda *_: False).http("a/b")


@pytest.mark.parametrize("base", [None, 0])
def test_an_address_of_another_machine_is_told_with_the_remedy(base: int | None) -> None:
    with pytest.raises(NoPortError, match=r"192\.0\.2\.1 is no address of this machine; choose another --bind"):
        Ports("192.0.2.1", base).http("a/b")


def test_a_listening_socket_takes_its_port() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        assert not is_free("127.0.0.1", busy.getsockname()[1])
    assert is_free("127.0.0.1", any_port("127.0.0.1"))
