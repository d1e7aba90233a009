"""What a relay's pods are made of: image, arguments, labels, where they may run, how many there are.

Called by `objects`. Nothing here changes with the configuration, for every change restarts pods. Pure.
"""

from typing import Any, Final

from mailhaul_contract.names import CONFIG_FILE
from mailhaul_operator.plan.naming import relay_labels
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
    "$(NODE_ADDRESS)",
    "--grace",
    str(GRACE),
)
"""Of the container; the kubelet puts the address in."""


def persistent(snapshot: Snapshot) -> bool:
    """Whether each replica keeps its queue on a volume."""
    return snapshot.relay.spec.queue.mode == "Persistent"


def replicas(snapshot: Snapshot) -> int:
    """Give how many there should be now: as wanted, and those above it as long as one of them holds mail."""
    wanted = snapshot.relay.spec.replicas
    leaving = [ordinal for ordinal in snapshot.live.holding if ordinal >= wanted]
    return max(leaving) + 1 if leaving and persistent(snapshot) else wanted


def image(snapshot: Snapshot) -> str:
    """Give the operator's image of relays, or the one that runs when upgrades are made by hand."""
    by_hand = snapshot.relay.spec.upgrade_policy == "Manual"
    return (snapshot.live.image if by_hand else "") or snapshot.facts.image


def pod(snapshot: Snapshot) -> dict[str, Any]:
    """Give the values of the pod template. The user's labels come under ours."""
    spec, facts = snapshot.relay.spec, snapshot.facts
    template = spec.pod_template
    return {
        "labels": {**template.labels, **relay_labels(snapshot.relay.metadata.name)},
        "annotations": dict(template.annotations),
        "grace": GRACE,
        "image": image(snapshot),
        "image_pull_policy": facts.image_pull_policy,
        "image_pull_secrets": [{"name": name} for name in facts.image_pull_secrets],
        "args": list(ARGUMENTS),
        "resources": spec.resources,
        "priority_class": template.priority_class_name,
        "node_selector": dict(template.node_selector),
        "tolerations": template.tolerations,
        "affinity": template.affinity,
        "topology_spread_constraints": template.topology_spread_constraints,
    }
