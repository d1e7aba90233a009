"""Which networks may be trusted by a relay that others than its cluster's pods can reach."""

import pytest

from mailhaul_operator.api.client_networks import PRIVATE_NETWORKS, few_or_private


@pytest.mark.parametrize("network", [*PRIVATE_NETWORKS, "10.1.0.0/16", "203.0.0.0/16", "2001:db8::/32", "::1/128"])
def test_private_networks_and_narrow_public_ones_may(network: str) -> None:
    assert few_or_private(network)


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "::/0", "11.0.0.0/8", "203.0.0.0/15", "172.0.0.0/11", "2001:db8::/31", "fe00::/7"]
)
def test_wide_public_ones_may_not(network: str) -> None:
    assert not few_or_private(network)
