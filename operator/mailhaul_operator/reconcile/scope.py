"""Which kinds the operator watches, and which objects of each. Pure.

Our own kinds wholly, what it made by its label, and Secrets only where they may be listed: in namespaces that were
named to it. `handlers` watches these, `listing` lists them.
"""

from dataclasses import dataclass

from mailhaul_operator.plan.naming import SELECTOR
from mailhaul_operator.wire.kinds import EXTERNAL_SECRETS_GROUP, KINDS, Kind

OWN = ("SmtpRelay", "UpstreamProvider", "MailAlias")
MADE = (
    *("ConfigMap", "ServiceAccount", "Service", "StatefulSet", "Deployment"),
    *("PodDisruptionBudget", "NetworkPolicy", "Pod"),
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind and the label selector of those that matter, "" for all. `optional` may be absent from the cluster."""

    kind: Kind
    selector: str = ""
    optional: bool = False


def watched(namespaces: tuple[str, ...], external_secrets: str) -> tuple[Watched, ...]:
    """Give what to watch in these namespaces (none are all); `external_secrets` is the version that is served."""
    kinds = [Watched(KINDS[name]) for name in OWN]
    kinds += [Watched(KINDS[name], SELECTOR) for name in MADE]
    if namespaces:
        kinds.append(Watched(KINDS["Secret"]))
    external = KINDS["ExternalSecret"]
    assert external.api_version.startswith(EXTERNAL_SECRETS_GROUP)
    version = external_secrets or external.api_version.partition("/")[2]
    kinds.append(Watched(external.in_version(version), SELECTOR, optional=True))
    kinds.append(Watched(KINDS["ServiceMonitor"], SELECTOR, optional=True))
    return tuple(kinds)
