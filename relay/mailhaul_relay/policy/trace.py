"""The trace field and the fields that a submission lacks: what the relay itself writes on top of a message.

`admission` puts these before the client's bytes. The HELO name is the client's text, so only names and address
literals are repeated. Cannot fail.
"""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from mailhaul_relay.policy.dates import header_date

# One class, so nothing can backtrack.
_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}", re.ASCII)
_PROTOCOLS = frozenset(
    {
        *("SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"),
        *("UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"),
    }
)


def received(hostname: str, helo: str, client: str, protocol: str, id: str, now: float) -> bytes:  # noqa: A002
    """Give the Received field (RFC 5321 section 4.4). It names no recipient: that would show Bcc and aliases."""
    name = helo if _HELO.fullmatch(helo) else "unknown"
    known = protocol if protocol in _PROTOCOLS else "SMTP"
    text = (
        f"Received: from {name}{_tcp_info(client)}\r\n\tby {hostname} with {known} id {id};\r\n\t{header_date(now)}\r\n"
    )
    return text.encode("ascii")


@lru_cache(maxsize=1024)
def _tcp_info(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    return f" ([IPv6:{address}])" if isinstance(address, IPv6Address) else f" ([{address}])"


def date(now: float) -> bytes:
    """Give the Date field."""
    return f"Date: {header_date(now)}\r\n".encode("ascii")


def message_id(id: str, hostname: str) -> bytes:  # noqa: A002
    """Give a Message-ID field made of the relay's own id."""
    return f"Message-ID: <{id}@{hostname}>\r\n".encode("ascii")
