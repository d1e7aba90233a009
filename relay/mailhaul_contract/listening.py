"""Listeners, clients and their limits: the part of `RelayConfig` that `smtpin` and `policy.admission` interpret.

Written by the operator's `plan.listeners` and `plan.relay_config`. A wrong value is refused with its path.
"""

import ipaddress
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mailhaul_contract.base import Frozen, Name, Port


def normal_network(text: str) -> str:
    """Give the normal form of a network in CIDR notation; raises ValueError when host bits are set."""
    return str(ipaddress.ip_network(text))


Network = Annotated[str, Field(min_length=2, max_length=49), AfterValidator(normal_network)]


class ListenerTlsMode(StrEnum):
    """How a listener speaks TLS: not at all, after STARTTLS (RFC 3207), or from the first byte (RFC 8314 section 3).

    Both need a certificate of the user's.
    """

    NONE = "None"
    START_TLS = "StartTLS"
    IMPLICIT = "Implicit"


class ListenerAuth(StrEnum):
    """Whether clients log in with an SMTP account (RFC 4954): never, as they like, or before any mail."""

    NONE = "None"
    OPTIONAL = "Optional"
    REQUIRED = "Required"


class LineEndings(StrEnum):
    """What happens to a bare CR or LF in a message: refused with 5xx, or made a CRLF. Never forwarded as it came."""

    STRICT = "Strict"
    NORMALISE = "Normalise"


class Listener(Frozen):
    """A port that clients connect to. Certificate (by the listener's name) and accounts are in the secrets.

    `tls_required` takes no mail before STARTTLS. `auth` is offered under TLS only. `allowed_networks` replaces those of
    `Clients` here (None does not). `proxies` are the networks of proxies that tell the client's address by the PROXY
    protocol; when there are any, nobody else may connect and every connection begins with such a header.
    """

    name: Name
    port: Port
    tls: ListenerTlsMode = ListenerTlsMode.NONE
    line_endings: LineEndings = LineEndings.STRICT
    tls_required: bool = False
    auth: ListenerAuth = ListenerAuth.NONE
    allowed_networks: Annotated[tuple[Network, ...], Field(max_length=16)] | None = None
    proxies: Annotated[tuple[Network, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _can_keep_its_word(self) -> "Listener":
        if self.auth is not ListenerAuth.NONE and self.tls is ListenerTlsMode.NONE:
            raise ValueError("AUTH is offered under TLS only; set tls to StartTLS or Implicit, or auth to None")
        if self.tls_required and self.tls is ListenerTlsMode.NONE:
            raise ValueError("TLS is required, but not offered; set tls to StartTLS or Implicit")
        return self


class Clients(Frozen):
    """Who may relay: source networks. Empty trusts nobody; everybody else may only address aliases."""

    allowed_networks: Annotated[tuple[Network, ...], Field(max_length=64)] = ()


class Limits(Frozen):
    """What one client may ask for. Sizes in bytes; 0 messages per minute means no such limit."""

    message_size: Annotated[int, Field(ge=1024, le=1_073_741_824)] = 26_214_400
    recipients: Annotated[int, Field(ge=1, le=10_000)] = 100
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    connections_per_client: Annotated[int, Field(ge=1, le=10_000)] = 50
    messages_per_minute_per_client: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    session_time: Annotated[int, Field(ge=10, le=86_400)] = 3600
