"""What `plan` is made from and what it gives: the world of one relay at one moment, and what should become of it.

The gatherer (local files now, the cluster later) builds a `Snapshot`; chance and time come in as values, so that the
same snapshot always gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.forwarding import Alias
from mailhaul_contract.names import SMTP_PORTS
from mailhaul_contract.upstream import Upstream
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.plan.findings import Finding

Manifest = Mapping[str, Any]
"""An object of Kubernetes as JSON has it."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Random values to use where no old one can be kept: id of the assembled Secret, token of the relay's API."""

    revision: str
    api_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the operator and its cluster are: the image of relays and how it is pulled, the version in which
    ExternalSecrets are served (`v1`, `v1beta1`, "" when External Secrets is absent), whether ServiceMonitors are, and
    the operator's own namespace, from which it reads reports ("" when it runs outside of the cluster).
    """

    image: str = ""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    external_secrets: str = ""
    service_monitors: bool = False
    operator_namespace: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """What runs of a relay now. `image` and `replicas` are those of its workload ("" and 0 when there is none);
    `holding` are the leaving replicas (by ordinal) that still hold mail, so that the workload is not made smaller;
    `proved` are the providers whose current credential every ready pod has proved. `others` are, by provider, the
    replicas of each other relay that sends through it, where those are not among the resources; `counted` are the
    providers of whose quotas something has been counted. `settled` are, by provider and period, the period's end and
    what all replicas that were there before the last growth have used or may use of it, once all keep to that.
    """

    image: str = ""
    replicas: int = 0
    holding: frozenset[int] = frozenset()
    proved: frozenset[str] = frozenset()
    others: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    settled: Mapping[str, Mapping[str, tuple[float, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One relay with all resources that there are. `existing` is the Secret that was assembled before; `ports` maps
    the ports of the Service to those that the process listens on; `now` is in seconds since the epoch; `unseen` are
    entries in force of aliases that cannot be read now, `unreadable` the providers that are there and not valid, by
    name, with the upstreams in force of each.
    """

    relay: SmtpRelay
    resources: Resources
    fresh: Fresh
    existing: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    ports: Mapping[int, int] = field(default_factory=lambda: SMTP_PORTS)
    facts: Facts = Facts()
    live: Live = Live()
    now: float = 0
    unseen: tuple[Alias, ...] = ()
    unreadable: Mapping[str, tuple[Upstream, ...]] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The relay's namespace, in which everything that it names is looked for."""
        return self.relay.metadata.namespace


@dataclass(frozen=True, slots=True)
class Plan:
    """What one relay should run. `content` are the bytes of `relay.v1.json` and `digest` is theirs; `tables` are the
    bytes of its alias tables, in order; `secret` is the assembled Secret. Without a `config` there is nothing to run,
    and a relay that runs keeps what it has.
    """

    namespace: str
    name: str
    config: RelayConfig | None
    content: bytes
    digest: str
    secret: Mapping[str, bytes] = field(repr=False)
    findings: tuple[Finding, ...] = ()
    tables: tuple[bytes, ...] = ()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"
