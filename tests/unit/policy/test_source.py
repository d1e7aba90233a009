"""Trust by network: never by omission, and never for an address that stands for anybody."""

import pytest
from tests.unit.policy.builders import running

from mailhaul_relay.policy.source import judge_source

NODES = frozenset({"10.9.0.1", "fd00::9", "not an address"})
PRIVATE = ["10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1/128"]


def networks(*allowed: str) -> dict[str, list[str]]:
    return {"allowedNetworks": list(allowed)}


@pytest.mark.parametrize(
    ("peer", "normal", "trusted", "lost"),
    [
        ("10.1.2.3", "10.1.2.3", True, False),
        ("::ffff:10.1.2.3", "10.1.2.3", True, False),
        ("127.0.0.1", "127.0.0.1", True, False),
        ("::1", "::1", True, False),
        ("fd00::1", "fd00::1", True, False),
        ("fd00::1%eth0", "fd00::1", True, False),
        ("192.0.2.1", "192.0.2.1", False, False),
        ("2001:db8::1", "2001:db8::1", False, False),
        ("::ffff:192.0.2.1", "192.0.2.1", False, False),
        ("127.0.0.6", "127.0.0.6", False, True),
        ("::ffff:127.0.0.6", "127.0.0.6", False, True),
        ("10.9.0.1", "10.9.0.1", False, True),
        ("::ffff:10.9.0.1", "10.9.0.1", False, True),
        ("fd00:0::9", "fd00::9", False, True),
        ("", "", False, False),
        ("localhost", "", False, False),
        ("10.1.2.3.4", "", False, False),
        ("010.1.2.3", "", False, False),
    ],
)
def test_sources(peer: str, normal: str, trusted: bool, lost: bool) -> None:
    source = judge_source(running(clients=networks(*PRIVATE)), peer, NODES)
    assert (source.address, source.trusted, source.identity_lost) == (normal, trusted, lost)


def test_no_networks_trust_nobody() -> None:
    for peer in ("10.1.2.3", "127.0.0.1", "::1", "127.0.0.6"):
        assert not judge_source(running(clients={}), peer, frozenset()).trusted


@pytest.mark.parametrize("host", ["127.0.0.6/32", "::ffff:127.0.0.6/128"])
def test_mesh_and_nodes_are_trusted_only_when_named_one_by_one(host: str) -> None:
    relay = running(clients=networks(host, "10.9.0.1/32"))
    assert judge_source(relay, "127.0.0.6", NODES).trusted
    assert judge_source(relay, "10.9.0.1", NODES).trusted
    assert not judge_source(relay, "127.0.0.7", NODES).trusted
    assert not judge_source(running(clients=networks("127.0.0.6/31")), "127.0.0.6", NODES).trusted


def test_mapped_network_is_an_ipv4_network_and_ipv6_default_is_not() -> None:
    assert judge_source(running(clients=networks("::ffff:10.0.0.0/104")), "10.1.2.3", NODES).trusted
    assert not judge_source(running(clients=networks("::/0")), "::ffff:203.0.113.1", NODES).trusted
