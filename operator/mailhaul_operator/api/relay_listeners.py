"""The part of an SmtpRelay that apps connect to: ports and TLS."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from mailhaul_contract.base import Name, Port
from mailhaul_contract.listening import LineEndings, ListenerTlsMode
from mailhaul_contract.names import SMTP_PORTS
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.metadata import SecretRef
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule

OWN_PORTS = (8080, 9090)
"""Ports of the relay's container that are not for SMTP: the mail API, and health, metrics and report."""


class ListenerTls(Part):
    """TLS towards clients."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "StartTLS is offered only with a certificate of yours; set secretRef.name to a Secret of type"
            " kubernetes.io/tls, or mode to None",
            "has(self.secretRef) || !has(self.mode) || self.mode != 'StartTLS'",
            lambda tls: tls.mode is not ListenerTlsMode.START_TLS or tls.secret_ref is not None,
            field="secretRef",
        ),
        Rule(
            "the certificate has no effect while mode is None; set mode to StartTLS, or remove secretRef",
            "self.mode == 'StartTLS' || !has(self.secretRef)",
            lambda tls: tls.mode is ListenerTlsMode.START_TLS or tls.secret_ref is None,
            field="secretRef",
        ),
    )

    mode: ListenerTlsMode = ListenerTlsMode.NONE
    """None or StartTLS. Clients that see STARTTLS use it and verify the certificate."""
    secret_ref: SecretRef | None = None
    """A Secret of type kubernetes.io/tls."""


class RelayListener(Part):
    """A port that apps send to."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "no listener can have this port; use 25, 587, or one from 1024 other than 8080 and 9090",
            "self.port in [25, 587] || (self.port >= 1024 && !(self.port in [8080, 9090]))",
            lambda listener: listener.port in {25, 587} or (listener.port >= 1024 and listener.port not in OWN_PORTS),
            field="port",
        ),
    )

    name: Name
    """Handle within this relay, and name of the Service's port."""
    port: Port
    """Port of the Service."""
    tls: ListenerTls = ListenerTls()
    """TLS towards clients."""
    line_endings: LineEndings = LineEndings.STRICT
    """A bare CR or LF in a message is refused (Strict) or made a CRLF (Normalise); never sent on as it came."""


def _bound_ports_differ(listeners: Sequence[RelayListener]) -> bool:
    bound = [SMTP_PORTS.get(listener.port, listener.port) for listener in listeners]
    return len(set(bound)) == len(bound)


_BOUND = "({0}.port in [25, 587] ? {0}.port + ({0}.port == 25 ? 2500 : 2000) : {0}.port)"

Listeners = Annotated[
    tuple[RelayListener, ...],
    Field(min_length=1, max_length=16),
    MapBy(("name",)),
    Rule(
        "two listeners share a port; give each its own (25 takes 2525 and 587 takes 2587 in the container)",
        f"self.all(a, self.exists_one(b, {_BOUND.format('a')} == {_BOUND.format('b')}))",
        _bound_ports_differ,
    ),
]
"""The listeners of a relay: each name and each port once."""
