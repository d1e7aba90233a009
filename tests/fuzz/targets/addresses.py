"""Addresses of the envelope: the normal form is a fixed point, and ASCII is judged as by the grammar read anew.

The second reading is RFC 5321 section 4.1.2 as one RE2 pattern, with the limits of `contract.addresses`.
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address

import re2

from mailhaul_contract.addresses import MAX_LOCAL, MAX_PATH, Address, AddressError
from mailhaul_contract.domains import MAX_DOMAIN

LONGEST = 400
WORDS = (b"@", b'"', b"\\", b"[IPv6:", b"]", b"xn--", b".example", b"@example.org", b"\xc3\xbc", b"e\xcc\x81", b"::1")

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = rf'(?:({_ATOM}(?:\.{_ATOM})*)|"((?:[ !#-\[\]-~]|\\[ -~])+)")'
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re2.compile(rf"{_LOCAL}@(?:({_LABEL}(?:\.{_LABEL})*)|\[([^\]\[]*)\])")
_PAIR = re2.compile(r"\\(.)")


def check(data: bytes) -> None:
    """Parse what may be an address."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        address = Address.parse(text)
    except AddressError as error:
        assert str(error).isprintable()
        assert not (text.isascii() and _is_mailbox(text)), f"refused, though the grammar has it: {error}"
        return
    assert not text.isascii() or _is_mailbox(text), "accepted, though the grammar does not have it"
    again = Address.parse(str(address))
    assert (again, str(again)) == (address, str(address)), "the normal form is no fixed point"
    assert len(str(address).encode()) <= MAX_PATH
    assert address.domain.isascii()
    assert not any(one in str(address) for one in "\r\n\0"), "a line could be ended by an address"
    assert address.key == again.key
    assert address.display.encode()


def _is_mailbox(text: str) -> bool:
    found = _MAILBOX.fullmatch(text)
    if not found:
        return False
    dotted, quoted, domain, literal = found.groups()
    local = dotted or _PAIR.sub(r"\1", quoted)
    host = domain.lower() if domain else _literal(literal)
    if host is None or len(host) > MAX_DOMAIN or len(local) > MAX_LOCAL:
        return False
    return len(str(Address(local, host))) <= MAX_PATH


def _literal(inner: str) -> str | None:
    if len(inner) > 64:
        return None
    try:
        if inner[:5].upper() == "IPV6:":
            return None if "%" in inner else f"[IPv6:{IPv6Address(inner[5:])}]"
        return f"[{IPv4Address(inner)}]"
    except AddressValueError:
        return None
