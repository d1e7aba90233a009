"""Networks of clients: which are private, and which are too wide to trust from outside.

Used by `smtprelay`. Pure.
"""

import ipaddress

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128")
"""RFC 1918, RFC 4193 and loopback: who may relay while nobody is named."""
_PRIVATE = tuple(map(ipaddress.ip_network, PRIVATE_NETWORKS))
_ANY_PRIVATE = " || ".join(f"cidr('{one}').containsCIDR(one)" for one in PRIVATE_NETWORKS)
FEW_OR_PRIVATE = (
    f"!isCIDR(one) || cidr(one).prefixLength() >= (cidr(one).ip().family() == 4 ? 16 : 32) || {_ANY_PRIVATE}"
)
"""CEL of `few_or_private` over a network `one`; one that is no network is left to the rule of its own."""


def few_or_private(text: str) -> bool:
    """Whether a network is private, or holds no more than a /16 (IPv4) or a /32 (IPv6)."""
    network = ipaddress.ip_network(text)
    if network.prefixlen >= (16 if network.version == 4 else 32):
        return True
    return any(
        one.version == network.version and one.prefixlen <= network.prefixlen and network.network_address in one
        for one in _PRIVATE
    )
