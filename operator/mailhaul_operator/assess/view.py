"""What `assess` looks at: a relay, a provider or an alias with everything that is known of it at one moment.

The reconciler builds these from the plan, the caches and the pods' reports. Values only; times are seconds since the
epoch. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.report import RelayReport, UpstreamReport
from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.findings import Finding
from mailhaul_operator.plan.snapshot import Plan


@dataclass(frozen=True, slots=True)
class Silence:
    """A pod did not report: why (connection refused, no answer in 3 s, ...), and since when."""

    why: str
    since: float


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod of a relay. `ordinal` is None in a Deployment; `current` tells that it is of the workload's newest
    revision; `trouble` is the container's waiting or termination reason with its message ("" when it runs); `gone_by`
    is when one that was deleted should have stopped at the latest, 0 for one that stays.
    """

    name: str
    ordinal: int | None
    ip: str
    ready: bool
    current: bool
    terminating: bool
    created: float
    trouble: str = ""
    restarts: int = 0
    report: RelayReport | Silence | None = None
    gone_by: float = 0


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """The StatefulSet or Deployment: replicas wanted by its spec, that exist, that are ready, that are updated; whether
    its controller has seen its newest generation. `exists` is False before the first apply.
    """

    exists: bool = False
    wanted: int = 0
    replicas: int = 0
    ready: int = 0
    updated: int = 0
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An object that could not be made as it should be. `kind` is one of `ObstacleKind`'s words; `own` tells that the
    mistake lies in the relay's own spec.
    """

    object: str
    reason: str
    message: str
    remedy: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class RelayView:
    """A relay. `obstacles` are what the effects met (NameTaken, Forbidden, TerminationBlocked, VolumeCannotGrow, ...);
    `holding` tells how many messages each leaving replica (by pod name) still holds, `away` has those that may hold
    mail and have no pod just now; `address` is host and port for
    apps. `proved` are the handles of upstreams of which `assess.provider.proves` says that their provider answers with
    the settings and credential in use, so that a restarted pod does not put that in doubt. `refuted` has what
    `assess.provider.refutes` gives for those of which it says the contrary, by handle: it tells a relay that does not
    probe for itself.
    """

    relay: SmtpRelay
    plan: Plan
    now: float
    workload: WorkloadView = WorkloadView()
    pods: tuple[PodView, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    holding: Mapping[str, int] = field(default_factory=dict)
    away: frozenset[str] = frozenset()
    address: str = ""
    ephemeral: bool = False
    proved: frozenset[str] = frozenset()
    refuted: Mapping[str, Condition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsedBy:
    """A relay that sends through a provider: the handle there, what its pods report of it, and the revision of the
    Secret that they run with. `reporting` are names of pods, in the order of `reports`. `settled` tells that all of
    them run what was planned from the provider's present generation: until then, what they report is of the past.
    `spends_reserve` tells that one of its important routes leads there.
    """

    namespace: str
    relay: str
    handle: str
    reports: tuple[UpstreamReport, ...] = ()
    reporting: tuple[str, ...] = ()
    revision: str = ""
    settled: bool = True
    spends_reserve: bool = False


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider. `findings` are the plan's that name it; `external` is what is known of its ExternalSecret, as an
    obstacle when that is not good.
    """

    provider: UpstreamProvider
    now: float
    used_by: tuple[UsedBy, ...] = ()
    findings: tuple[Finding, ...] = ()
    external: Obstacle | None = None


@dataclass(frozen=True, slots=True)
class AliasView:
    """An alias. `relay_known` tells that its relay exists; `findings` are the plan's that name it, as `object` or as
    `rival`; `resolved` are the mailboxes it leads to; `planned` tells that the relay's plan is of this very
    generation; `applied` that the relay runs a configuration with it; `relay_ready` whether the relay's Ready is True
    or False, None while that is not known; the numbers are sums over the pods.
    """

    alias: MailAlias
    now: float
    relay_known: bool = False
    planned: bool = True
    applied: bool = False
    relay_ready: bool | None = False
    findings: tuple[Finding, ...] = ()
    resolved: tuple[str, ...] = ()
    forwarded: int = 0
    failed: int = 0
