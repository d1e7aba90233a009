"""Connections and messages are counted over all listeners, by client and by minute."""

from mailhaul_contract.listening import Limits
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.listener import normal_client


def test_the_total_and_each_client_are_limited() -> None:
    gate, limits = ConnectionGate(), Limits(connections=3, connections_per_client=2)
    assert [gate.enter("a", limits) for _ in range(3)] == ["", "", "client-connections"]
    assert [gate.enter("b", limits), gate.enter("c", limits)] == ["", "connections"]
    gate.leave("a")
    assert gate.enter("c", limits) == ""


def test_a_client_that_left_is_forgotten() -> None:
    gate, limits = ConnectionGate(), Limits()
    for number in range(1000):
        gate.enter(str(number), limits)
        gate.leave(str(number))
    assert gate._by_client == {}


def test_messages_are_limited_by_minute_and_client() -> None:
    gate, limits = ConnectionGate(), Limits(messages_per_minute_per_client=1)
    assert gate.may_send("a", limits, 60.0)
    assert not gate.may_send("a", limits, 119.0)
    assert gate.may_send("b", limits, 119.0)
    assert gate.may_send("a", limits, 120.0)
    assert len(gate._messages) == 1


def test_no_limit_counts_nothing() -> None:
    gate = ConnectionGate()
    assert all(gate.may_send("a", Limits(), 0.0) for _ in range(1000))
    assert gate._messages == {}


def test_one_client_has_one_name_over_both_families() -> None:
    assert normal_client("::ffff:10.1.2.3") == "10.1.2.3"
    assert normal_client("::ffff:a01:203") == "10.1.2.3", "as Python 3.11 writes what a PROXY header has"
    assert normal_client("2001:db8::1") == "2001:db8::1"
    assert normal_client("fe80::1%eth0") == "fe80::1"
    assert normal_client("10.1.2.3") == "10.1.2.3"
