"""The part of an SmtpRelay that apps connect to: ports, TLS, logins, proxies."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from mailhaul_contract.base import Name, Port
from mailhaul_contract.listening import LineEndings, ListenerAuth, ListenerTlsMode
from mailhaul_contract.names import SMTP_PORTS
from mailhaul_operator.api.lists import MapBy, SetOf
from mailhaul_operator.api.metadata import SecretRef
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import NetworkText

OWN_PORTS = (8080, 9090)
"""Ports of the relay's container that are not for SMTP: the mail API, and health, metrics and report."""


NO_LOGINS = "self.listeners.all(one, !has(one.auth) || !has(one.auth.mode) || one.auth.mode == 'None')"
"""CEL of a spec: no listener lets clients log in."""


class ListenerTls(Part):
    """TLS towards clients."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "TLS is offered only with a certificate of yours; set secretRef.name to a Secret of type"
            " kubernetes.io/tls, or mode to None",
            "has(self.secretRef) || !has(self.mode) || self.mode == 'None'",
            lambda tls: tls.mode is ListenerTlsMode.NONE or tls.secret_ref is not None,
            field="secretRef",
        ),
        Rule(
            "the certificate has no effect while mode is None; set mode to StartTLS or Implicit, or remove secretRef",
            "!has(self.secretRef) || (has(self.mode) && self.mode != 'None')",
            lambda tls: tls.mode is not ListenerTlsMode.NONE or tls.secret_ref is None,
            field="secretRef",
        ),
        Rule(
            "required is for mode StartTLS: Implicit always is, None never; set mode to StartTLS, or remove required",
            "!has(self.required) || !self.required || (has(self.mode) && self.mode == 'StartTLS')",
            lambda tls: tls.mode is ListenerTlsMode.START_TLS or not tls.required,
            field="required",
        ),
    )

    mode: ListenerTlsMode = ListenerTlsMode.NONE
    """None, StartTLS, or Implicit (from the first byte, for port 465). Clients that see STARTTLS use it and verify the
    certificate."""
    secret_ref: SecretRef | None = None
    """A Secret of type kubernetes.io/tls; a new certificate in it is used from the next handshake on."""
    required: bool = False
    """With StartTLS: take no mail before it."""


class ListenerLogins(Part):
    """Whether clients log in with an SMTP account."""

    mode: ListenerAuth = ListenerAuth.NONE
    """None, Optional, or Required: no mail without a login, whatever the client's network."""


class ProxyProtocol(Part):
    """The PROXY protocol, versions 1 and 2: a proxy tells whose connection it hands over."""

    trusted_networks: Annotated[tuple[NetworkText, ...], Field(min_length=1, max_length=16), SetOf()]
    """Networks of the proxies. Nobody else may connect to the listener, and each connection begins with a header."""


class RelayListener(Part):
    """A port that apps send to."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "no listener can have this port; use 25, 587, 465, or one from 1024 other than 8080 and 9090",
            "self.port in [25, 587, 465] || (self.port >= 1024 && !(self.port in [8080, 9090]))",
            lambda listener: listener.port in SMTP_PORTS or (listener.port >= 1024 and listener.port not in OWN_PORTS),
            field="port",
        ),
        Rule(
            "clients speak TLS from the first byte on 465, and not on 25 and 587; set tls.mode to Implicit on 465, else"
            " to StartTLS or None, or take another port",
            "!(self.port in [25, 587, 465])"
            " || (self.port == 465) == (has(self.tls) && has(self.tls.mode) && self.tls.mode == 'Implicit')",
            lambda listener: (
                listener.port not in SMTP_PORTS
                or (listener.port == 465) == (listener.tls.mode is ListenerTlsMode.IMPLICIT)
            ),
            field="tls.mode",
        ),
        Rule(
            "passwords are taken under TLS only; set tls.mode to StartTLS or Implicit, or auth.mode to None",
            # The API server tries the rules on defaults too, before it fills in the members' own.
            "!has(self.auth) || !has(self.auth.mode) || self.auth.mode == 'None'"
            " || (has(self.tls) && has(self.tls.mode) && self.tls.mode != 'None')",
            lambda listener: not listener.takes_logins or listener.tls.mode is not ListenerTlsMode.NONE,
            field="auth.mode",
        ),
    )

    name: Name
    """Handle within this relay, and name of the Service's port."""
    port: Port
    """Port of the Service."""
    tls: ListenerTls = ListenerTls()
    """TLS towards clients."""
    auth: ListenerLogins = ListenerLogins()
    """Logins of clients, with the accounts of clients.accounts. Only under TLS."""
    allowed_networks: Annotated[tuple[NetworkText, ...], Field(max_length=16), SetOf()] | None = None
    """Networks that are trusted at this listener, in place of clients.allowedNetworks; an empty list trusts nobody who
    does not log in."""
    proxy_protocol: ProxyProtocol | None = None
    """Connections come from proxies only, which tell the client's address."""
    line_endings: LineEndings = LineEndings.STRICT
    """A bare CR or LF in a message is refused (Strict) or made a CRLF (Normalise); never sent on as it came."""

    @property
    def takes_logins(self) -> bool:
        """Whether clients may log in."""
        return self.auth.mode is not ListenerAuth.NONE

    @property
    def trusted_networks(self) -> tuple[str, ...]:
        """The networks of its own that it trusts, those of proxies too."""
        return (*(self.allowed_networks or ()), *(self.proxy_protocol.trusted_networks if self.proxy_protocol else ()))


def _bound_ports_differ(listeners: Sequence[RelayListener]) -> bool:
    bound = [SMTP_PORTS.get(listener.port, listener.port) for listener in listeners]
    return len(set(bound)) == len(bound)


_BOUND = "({0}.port in [25, 587, 465] ? {0}.port + ({0}.port == 25 ? 2500 : 2000) : {0}.port)"

Listeners = Annotated[
    tuple[RelayListener, ...],
    Field(min_length=1, max_length=16),
    MapBy(("name",)),
    Rule(
        "two listeners share a port; give each its own (25, 587 and 465 take 2525, 2587 and 2465 in the container)",
        f"self.all(a, self.exists_one(b, {_BOUND.format('a')} == {_BOUND.format('b')}))",
        _bound_ports_differ,
    ),
]
"""The listeners of a relay: each name and each port once."""
