"""Who is at the other end of a connection: trusted by network, a stranger, or somebody whose address was lost.

`smtpin` asks once a connection. A node's address or 127.0.0.6 (where Istio's sidecar hands over inbound connections)
stands for anybody, so it is trusted only when the configuration names that very host (/32 or /128).
An address that cannot be read is a stranger's. IPv4-mapped IPv6 is IPv4, for addresses and for networks.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mailhaul_relay.policy.running import Running

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

MESH = IPv4Address("127.0.0.6")
_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Source:
    """A client's address in normal form, whether it may relay, and whether it hides who really connected. `account` is
    the one that it logged in as, "" for none; `field` is where networks are trusted, for refusals. `unnamed`: it is a
    proxy that named no client.
    """

    address: str
    trusted: bool
    identity_lost: bool = False
    account: str = ""
    field: str = "spec.clients.allowedNetworks"
    unnamed: bool = False


@dataclass(frozen=True, slots=True)
class ClientNetworks:
    """`spec.clients.allowedNetworks`, compiled. `hosts` are those named one by one."""

    networks: tuple[IpNetwork, ...] = ()
    hosts: frozenset[IpAddress] = frozenset()

    @classmethod
    def build(cls, networks: tuple[str, ...]) -> Self:
        """Compile networks in CIDR notation; the contract has validated them."""
        parsed = tuple(_unmapped(ip_network(one)) for one in networks)
        hosts = frozenset(one.network_address for one in parsed if one.prefixlen == one.max_prefixlen)
        return cls(tuple(one for one in parsed if one.prefixlen < one.max_prefixlen), hosts)

    def contains(self, address: IpAddress) -> bool:
        """Tell whether an address lies in one of the networks."""
        return address in self.hosts or any(
            address.version == network.version and address in network for network in self.networks
        )

    def has(self, text: str) -> bool:
        """The same of an address as text; one that cannot be read lies nowhere."""
        address = _address(text)
        return address is not None and self.contains(address)


def judge_source(
    running: "Running", address: str, nodes: frozenset[str], networks: ClientNetworks | None = None
) -> Source:
    """Judge a peer's address; `nodes` are the addresses of the cluster's nodes, `networks` replace those of all."""
    peer = _address(address)
    if peer is None:
        return Source("", trusted=False)
    trusted = running.networks if networks is None else networks
    if peer in trusted.hosts:
        return Source(str(peer), trusted=True)
    if peer == MESH or peer in _nodes(nodes):
        return Source(str(peer), trusted=False, identity_lost=True)
    return Source(str(peer), trusted=trusted.contains(peer))


def _address(text: str) -> IpAddress | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=8)
def _nodes(nodes: frozenset[str]) -> frozenset[IpAddress]:
    return frozenset(address for text in nodes if (address := _address(text)) is not None)


def _unmapped(network: IpNetwork) -> IpNetwork:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        base = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return IPv4Network((base, network.prefixlen - 96))
    return network
