"""The header of the PROXY protocol, versions 1 and 2: whose connection a proxy hands over.

`arrival` gives it what it has read and takes from the connection no octet more than the header has. Strict: what is not
a header from its first octet on is a fault. Version 2's further fields (TLVs) are skipped, and bounded. Addresses of
the other end, ports and checksums do not matter here.
Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address

LONGEST_V1 = 107
"""Octets with CRLF."""
LONGEST_V2 = 4096
"""Octets after the fixed part; addresses take 36 of them, and a proxy may add the names of certificates."""
_V1 = b"PROXY "
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = 16
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_OTHERS = {0x00: 0, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}
"""Families that tell no address of a TCP client, and the octets that they have at least."""


class ProxyHeader:
    """A header that comes in. When `complete`, `client` is the address in it, "" when it tells none (LOCAL, UNKNOWN).

    `fault` says why it is none; nothing is to be taken then.
    """

    def __init__(self) -> None:
        self._data = b""
        self.complete = False
        self.client = ""
        self.fault = ""

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has come."""
        return bool(self._data)

    @property
    def wanted(self) -> int:
        """How many octets to look at next."""
        return max(1, self._end(self._data) - len(self._data))

    def take(self, seen: bytes) -> int:
        """Look at the next octets, and tell how many of them belong to the header."""
        known = len(self._data)
        data = self._data + seen
        if _may_be(data, _V1):
            line_end = data.find(b"\r\n", 0, LONGEST_V1)
            end = line_end + 2 if line_end >= 0 else LONGEST_V1
            whole = line_end >= 0
            if not whole and len(data) >= LONGEST_V1:
                self.fault = "a line that does not end"
        elif _may_be(data, _V2):
            end = self._end(data)
            if end > _FIXED + LONGEST_V2:
                self.fault = "a header that is too long"
            whole = len(data) >= end and len(data) >= _FIXED
        else:
            self.fault, end, whole = "no PROXY header", 0, False
        if self.fault:
            return 0
        self._data = data[:end]
        if whole:
            self._read()
        return len(self._data) - known

    def _end(self, data: bytes) -> int:
        """Where the header ends as far as it is known."""
        if not data or data.startswith(_V1[: len(data)]):
            return LONGEST_V1
        if len(data) < _FIXED:
            return _FIXED
        return _FIXED + int.from_bytes(data[14:16], "big")

    def _read(self) -> None:
        try:
            self.client = _client_v1(self._data) if self._data.startswith(_V1) else _client_v2(self._data)
        except ValueError as error:
            self.fault = str(error)
            return
        self.complete = True


def _may_be(data: bytes, beginning: bytes) -> bool:
    return data.startswith(beginning[: len(data)])


def _client_v1(header: bytes) -> str:
    try:
        words = header[:-2].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise ValueError("a line that is not ASCII") from None
    if words[1] == "UNKNOWN":
        return ""
    if len(words) != 6 or words[1] not in {"TCP4", "TCP6"}:
        raise ValueError("a line of another form")
    parse = IPv4Address if words[1] == "TCP4" else IPv6Address
    try:
        client, _ = parse(words[2]), parse(words[3])
    except AddressValueError:
        raise ValueError("an address that is none") from None
    if "%" in words[2] or not all(map(_is_port, words[4:])):
        raise ValueError("a port or scope that is none")
    return str(client)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535 and str(int(text)) == text


def _client_v2(header: bytes) -> str:
    command, family, rest = header[12], header[13], header[_FIXED:]
    if command == _LOCAL:
        return ""
    if command != _PROXY:
        raise ValueError("an unknown version or command")
    if family == _TCP4 and len(rest) >= 12:
        return str(IPv4Address(rest[:4]))
    if family == _TCP6 and len(rest) >= 36:
        return str(IPv6Address(rest[:16]))
    if len(rest) >= _OTHERS.get(family, LONGEST_V2 + 1):
        return ""
    raise ValueError("an unknown family, or too few octets for it")
