"""Domain names and address literals in their normal form.

Used by `addresses`, the configuration and every policy that compares domains. Normal form is the lower-case
A-label form without a trailing dot, so that equality of strings is equality of domains.
Failures: `DomainError` (a ValueError), whose text may be shown to a client.
"""

import ipaddress
import re
from functools import lru_cache

import idna

MAX_DOMAIN = 253
"""Octets of a domain name in text form (RFC 1035 section 2.3.4, RFC 5321 section 4.5.3.1.2)."""

# One class of characters per position and no overlap between them: linear for any input.
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII)


class DomainError(ValueError):
    """The text is not a domain name or address literal."""


@lru_cache(maxsize=4096)
def normal_domain(text: str) -> str:
    """Give the normal form of a domain name (RFC 5321 section 2.3.5, RFC 5890 for U-labels).

    Raises DomainError, with a reason that may be shown, on anything else; an address literal is refused here.
    """
    if not text:
        raise DomainError("the domain is empty")
    if len(text) > 4 * MAX_DOMAIN:
        raise DomainError("the domain is too long")
    name = text.lower() if text.isascii() else _a_labels(text)
    if len(name) > MAX_DOMAIN:
        raise DomainError("the domain is longer than 253 octets")
    if any(not 0 < len(label) <= 63 for label in name.split(".")):
        raise DomainError("a label of the domain is empty or longer than 63 octets")
    if not _PLAIN.fullmatch(name):
        raise DomainError("the domain has characters that a host name may not have")
    return name


def normal_host(text: str) -> str:
    """Give the normal form of a domain name or of an address literal in brackets (RFC 5321 section 4.1.3)."""
    return _literal(text) if text.startswith("[") else normal_domain(text)


def display_domain(name: str) -> str:
    """Give the U-label form of a normal domain for people to read; the name itself where that fails."""
    if "xn--" not in name:
        return name
    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def display_address(address: str) -> str:
    """Give a mail address with its domain in U-labels, for people to read and to look for."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{display_domain(domain)}"


def _a_labels(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise DomainError("the domain is not a valid internationalised name") from None


def _literal(text: str) -> str:
    inner = text[1:-1]
    if not text.endswith("]") or len(inner) > 64:
        raise DomainError("the address literal is not closed")
    try:
        if inner[:5].lower() == "ipv6:":
            address = ipaddress.IPv6Address(inner[5:])
            if address.scope_id is not None:
                raise DomainError("an address literal has no zone")
            return f"[IPv6:{address.compressed}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ipaddress.AddressValueError:
        raise DomainError("the address literal is not an IPv4 or IPv6 address") from None
