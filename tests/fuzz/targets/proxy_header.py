"""The PROXY protocol's header: nothing behind it is taken, the cut does not matter, and two readings agree.

The second reading of version 1 is a pattern of RE2, that of version 2 the table of the specification.
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

import re2
from tests.fuzz.pieces import cuts

from mailhaul_relay.smtpin.proxy_header import LONGEST_V1, LONGEST_V2, ProxyHeader

LONGEST = 400
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
WORDS = (
    *(
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
        b"PROXY TCP6 2001:db8::1 ::1 1 25\r\n",
        b"PROXY UNKNOWN\r\n",
        b"\r\n",
    ),
    *(_SIGNATURE, _SIGNATURE + b"\x21\x11\x00\x0c", _SIGNATURE + b"\x21\x21\x00\x24", _SIGNATURE + b"\x20\x00\x00\x00"),
)
_LINE = re2.compile(r"PROXY (TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n")
_FIXED = 16
_SIZES = {0x11: 12, 0x21: 36, 0x00: 0, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}


def check(data: bytes) -> None:
    """Look at the octets as a listener does, cut in three ways."""
    _, content, ways = cuts(data)
    whole, *others = [_looked_at(way) for way in ways]
    assert all(other == whole for other in others), "another header by another cut"
    client, taken, is_complete = whole
    expected = _read_again(content)
    assert is_complete == (expected is not None), f"two readings: {whole}, {expected}"
    if expected is not None:
        assert (client, taken) == expected, f"two readings: {whole}, {expected}"
    assert not client or str(ip_address(client)) == client


def _looked_at(way: list[bytes]) -> tuple[str, int, bool]:
    """Give the client, how many octets belong to the header, and whether it was one."""
    header, waiting, taken = ProxyHeader(), b"", 0
    for piece in way:
        waiting += piece
        while waiting and not header.complete and not header.fault:
            assert 1 <= header.wanted <= _FIXED + LONGEST_V2
            seen = waiting[: header.wanted]
            count = header.take(seen)
            assert 0 <= count <= len(seen)
            taken, waiting = taken + count, waiting[count:]
            assert count or header.fault, "it looks at the same octets for ever"
    assert not (header.complete and header.fault)
    assert taken <= _FIXED + LONGEST_V2
    return (header.client, taken, True) if header.complete else ("", 0, False)


def _read_again(content: bytes) -> tuple[str, int] | None:
    if content.startswith(b"PROXY "):
        line = content[: content.find(b"\r\n") + 2]
        return _line_again(line) if 0 < len(line) <= LONGEST_V1 else None
    if not content.startswith(_SIGNATURE) or len(content) < _FIXED:
        return None
    command, family, size = content[12], content[13], int.from_bytes(content[14:16], "big")
    end = _FIXED + size
    if size > LONGEST_V2 or len(content) < end or command not in {0x20, 0x21}:
        return None
    if command == 0x21 and size < _SIZES.get(family, LONGEST_V2 + 1):
        return None
    addresses = content[_FIXED:end]
    if command == 0x21 and family == 0x11:
        return str(IPv4Address(addresses[:4])), end
    if command == 0x21 and family == 0x21:
        return str(IPv6Address(addresses[:16])), end
    return "", end


def _line_again(line: bytes) -> tuple[str, int] | None:
    if line.startswith((b"PROXY UNKNOWN ", b"PROXY UNKNOWN\r\n")):
        return ("", len(line)) if line.isascii() else None
    found = _LINE.fullmatch(line.decode("latin-1"))
    if not found or int(found[4]) > 65_535 or int(found[5]) > 65_535:
        return None
    parse = IPv4Address if found[1] == "TCP4" else IPv6Address
    try:
        parse(found[3])
        return str(parse(found[2])), len(line)
    except AddressValueError:
        return None
