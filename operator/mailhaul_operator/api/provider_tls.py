"""The part of an UpstreamProvider about TLS: mode, verification, authorities, and the relay's own certificate.

Failures: see `part`.
"""

from enum import StrEnum
from typing import ClassVar

from mailhaul_contract.base import ObjectName
from mailhaul_contract.upstream import TlsMode, TlsVerify
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import HostName, KeyName


class CaKind(StrEnum):
    """Where certificates of authorities lie."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105 - a kind


class CaRef(Part):
    """A PEM bundle of authorities in the namespace of this resource."""

    kind: CaKind = CaKind.CONFIG_MAP
    """ConfigMap or Secret."""
    name: ObjectName
    """Name of the object."""
    key: KeyName = "ca.crt"
    """Key within it that holds the PEM text."""


class ClientCertificateRef(Part):
    """A Secret of type kubernetes.io/tls in the namespace of this resource, as cert-manager makes it."""

    name: ObjectName
    """Name of the Secret; tls.crt has the chain, leaf first, tls.key its unencrypted key."""


class ProviderTls(Part):
    """TLS towards the provider. StartTLS and Implicit never fall back to plain text."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "caRef has no effect when nothing is verified; remove it, or set verify to Required and mode to StartTLS",
            "!has(self.caRef) || (self.verify != 'None' && !(has(self.mode) && self.mode == 'None'))",
            lambda tls: not tls.ca_ref or (tls.verify is not TlsVerify.NONE and tls.mode is not TlsMode.NONE),
            field="caRef",
        ),
        Rule(
            "serverName has no effect without TLS; remove it, or set mode to StartTLS",
            "!(has(self.serverName) && self.serverName != '') || !(has(self.mode) && self.mode == 'None')",
            lambda tls: not tls.server_name or tls.mode is not TlsMode.NONE,
            field="serverName",
        ),
        Rule(
            "clientCertificateRef has no effect without TLS; remove it, or set mode to StartTLS",
            "!has(self.clientCertificateRef) || !(has(self.mode) && self.mode == 'None')",
            lambda tls: not tls.client_certificate_ref or tls.mode is not TlsMode.NONE,
            field="clientCertificateRef",
        ),
    )

    mode: TlsMode | None = None
    """None, StartTLS or Implicit. The default is the profile's; StartTLS for type smtp."""
    verify: TlsVerify = TlsVerify.REQUIRED
    """Whether the certificate must be valid for the host. None is for tests only."""
    server_name: HostName = ""
    """The name that the certificate must have, when it is not the host's."""
    ca_ref: CaRef | None = None
    """The authorities to trust in place of the system's."""
    client_certificate_ref: ClientCertificateRef | None = None
    """The certificate that the relay shows, for providers that know it by one. A renewed one is used at once."""
