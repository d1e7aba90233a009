"""What a relay's pods are made of: image, arguments, labels, where they may run, how many there are.

Called by `objects`. Nothing here changes with the configuration, for every change restarts pods. Pure.
"""

from typing import Any, Final

from mailhaul_contract.names import CONFIG_FILE
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.relay_pods import RelayPodTemplate, Toleration
from mailhaul_operator.api.relay_workload import QueueMode, UpgradePolicy
from mailhaul_operator.plan.naming import CONTAINER, RELAY, relay_labels
from mailhaul_operator.plan.snapshot import Snapshot

GRACE: Final = 20
"""Seconds that sessions and attempts under way get at a stop; the pod is given ten more."""
ARGUMENTS: Final = (
    "relay",
    "serve",
    "--config",
    f"/etc/mailhaul/config/{CONFIG_FILE}",
    "--secrets",
    "/etc/mailhaul/secrets",
    "--spool",
    "/var/spool/mailhaul",
    "--node-address",
    "$(NODE_ADDRESSES)",
    "--grace",
    str(GRACE),
)
"""Of the container; the kubelet puts the addresses in, of each family one, with a comma between."""


def persistent(snapshot: Snapshot) -> bool:
    """Whether each replica keeps its queue on a volume."""
    return snapshot.relay.spec.queue.mode is QueueMode.PERSISTENT


def replicas(snapshot: Snapshot) -> int:
    """Give how many there should be now: as wanted, and those above it as long as one of them holds mail."""
    wanted = snapshot.relay.spec.replicas
    leaving = [ordinal for ordinal in snapshot.live.holding if ordinal >= wanted]
    return max(leaving) + 1 if leaving and persistent(snapshot) else wanted


def image(snapshot: Snapshot) -> str:
    """Give the operator's image of relays, or the one that runs when upgrades are made by hand."""
    by_hand = snapshot.relay.spec.upgrade_policy is UpgradePolicy.MANUAL
    return (snapshot.live.image if by_hand else "") or snapshot.facts.image


def pod(snapshot: Snapshot) -> dict[str, Any]:
    """Give the values of the pod template. The user's labels come under ours."""
    spec, facts = snapshot.relay.spec, snapshot.facts
    template, relay = spec.pod_template, snapshot.relay.metadata.name
    amounts = as_stated(spec.resources)
    return {
        **_placement(template, relay),
        "labels": {**template.labels, **relay_labels(relay)},
        "annotations": dict(template.annotations),
        "grace": GRACE,
        "container": CONTAINER,
        "image": image(snapshot),
        "image_pull_policy": facts.image_pull_policy,
        "image_pull_secrets": [{"name": name} for name in facts.image_pull_secrets],
        "args": list(ARGUMENTS),
        "resources": {name: each for name, each in amounts.items() if each},
    }


def as_stated(part: Part) -> dict[str, Any]:
    """Give the JSON of a part of the resource with its defaults, which need not be Kubernetes' own, and without what
    is absent.
    """
    stated: dict[str, Any] = _present(part.model_dump(mode="json", by_alias=True))
    return stated


def _placement(template: RelayPodTemplate, relay: str) -> dict[str, Any]:
    own_pods = {"labelSelector": {"matchLabels": {RELAY: relay}}}
    return {
        "priority_class": template.priority_class_name,
        "node_selector": dict(template.node_selector),
        "tolerations": [_toleration(one) for one in template.tolerations],
        "affinity": as_stated(template.affinity) if template.affinity else {},
        "topology_spread_constraints": [{**as_stated(one), **own_pods} for one in template.topology_spread_constraints],
    }


def _toleration(toleration: Toleration) -> dict[str, Any]:
    """The API server drops an empty value, and would seem to differ."""
    return {name: value for name, value in as_stated(toleration).items() if value != ""}


def _present(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Without members that are null or empty lists; an empty selector selects everything and so has a meaning."""
    if isinstance(value, dict):
        return {name: _present(one) for name, one in value.items() if one is not None and one != []}
    return [_present(one) for one in value] if isinstance(value, list) else value
