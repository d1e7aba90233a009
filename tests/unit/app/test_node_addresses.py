"""The kubelet tells a node's addresses as one text with commas; each is known to the relay, and none is invented."""

import pytest

from mailhaul_relay import cli
from mailhaul_relay.app import gateways, process
from mailhaul_relay.app.options import Addresses


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (("10.0.0.7,fd00::7",), {"10.0.0.7", "fd00::7"}),
        (("10.0.0.7", "fd00::7"), {"10.0.0.7", "fd00::7"}),
        (("10.0.0.7",), {"10.0.0.7"}),
        (("",), set()),
        ((), set()),
    ],
    ids=["both families", "one by one", "one family", "not told yet", "not in a cluster"],
)
def test_each_address_of_the_node_is_known(
    given: tuple[str, ...], known: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Addresses] = []

    def serve(_directories: object, addresses: Addresses, _grace: float) -> int:
        seen.append(addresses)
        return 0

    monkeypatch.setattr(process, "serve", serve)
    monkeypatch.setattr(gateways, "gateways", lambda: frozenset({"10.0.0.1"}))
    words = [word for one in given for word in ("--node-address", one)]
    cli.relay(["serve", "--config", "c", "--secrets", "s", *words])
    assert seen[0].nodes == (known | {"10.0.0.1"} if known else set())
