"""What `plan` is made from and what it gives: the world of one relay at one moment, and what should become of it.

The gatherer (local files now, the cluster later) builds a `Snapshot`; chance and time come in as values, so that the
same snapshot always gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.names import SMTP_PORTS
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.plan.findings import Finding


@dataclass(frozen=True, slots=True)
class Fresh:
    """Random values to use where no old one can be kept: id of the assembled Secret, token of the relay's API."""

    revision: str
    api_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One relay with all resources that there are. `existing` is the Secret that was assembled before; `ports` maps
    the ports of the Service to those that the process listens on.
    """

    relay: SmtpRelay
    resources: Resources
    fresh: Fresh
    existing: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    ports: Mapping[int, int] = field(default_factory=lambda: SMTP_PORTS)

    @property
    def namespace(self) -> str:
        """The relay's namespace, in which everything that it names is looked for."""
        return self.relay.metadata.namespace


@dataclass(frozen=True, slots=True)
class Plan:
    """What one relay should run. `content` are the bytes of `relay.v1.json` and `digest` is theirs; `secret` is the
    assembled Secret. Without a `config` there is nothing to run, and a relay that runs keeps what it has.
    """

    namespace: str
    name: str
    config: RelayConfig | None
    content: bytes
    digest: str
    secret: Mapping[str, bytes] = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"
