"""The next hops of this host's routes: the side of its node that a pod sees.

With most pod networks a client on the node itself, and one that came in by a node port, reaches the pod from the
address of its next hop, not from the one that the cluster knows the node by. `cli` counts it among the node's own.
Read from Linux's route tables. Fails never: a table that is absent or unreadable has no routes.
"""

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_TABLES = Path("/proc/net")
_GATEWAY = 0x2
"""RTF_GATEWAY in the flags of a route."""
_MAX_ROUTES = 1000


def gateways(tables: Path = _TABLES) -> frozenset[str]:
    """Give the addresses of all next hops, IPv4 and IPv6."""
    four = (_four(line.split()) for line in _lines(tables / "route"))
    six = (_six(line.split()) for line in _lines(tables / "ipv6_route"))
    return frozenset(one for one in (*four, *six) if one)


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text(encoding="ascii").splitlines()[:_MAX_ROUTES]
    except (OSError, ValueError):
        return []


def _four(fields: list[str]) -> str:
    """Interface, destination, gateway, flags, ...: hexadecimal, addresses in the byte order of the machine."""
    try:
        if not int(fields[3], 16) & _GATEWAY:
            return ""
        return str(IPv4Address(int.from_bytes(bytes.fromhex(fields[2]), "little")))
    except (IndexError, ValueError):
        return ""


def _six(fields: list[str]) -> str:
    """Destination, its prefix, source, its prefix, next hop, metric, two counts, flags, interface: hexadecimal."""
    try:
        if not int(fields[8], 16) & _GATEWAY:
            return ""
        return str(IPv6Address(bytes.fromhex(fields[4])))
    except (IndexError, ValueError):
        return ""
