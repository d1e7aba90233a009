"""Resources to plans, for `up`, `validate` and `render`: the gatherer and the chance around the pure `plan`.

A relay runs here as one process on this machine's ports; in a cluster the operator gathers instead. Failures:
`NoPortError`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from secrets import token_hex, token_urlsafe
from time import time

from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.local.ports import Ports
from mailhaul_operator.local.stores import with_stores
from mailhaul_operator.plan.external_secrets import external_secret
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason, in_order
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Facts, Fresh, Manifest, Plan, Snapshot
from mailhaul_operator.plan.survey import survey

Existing = Callable[[str, str], Mapping[str, bytes]]
CLUSTER = Facts(image="mailhaul-relay", external_secrets="v1", service_monitors=True)
"""What is supposed of a cluster that nobody asked: all that a resource may use is there."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of every relay, and all findings: theirs and those that belong to none."""

    plans: tuple[Plan, ...]
    findings: tuple[Finding, ...]


def plan_all(resources: Resources, ports: Ports, existing: Existing) -> Planned:
    """Plan every relay for this machine; `existing` gives the Secret that was assembled for a relay before."""
    alone = replace(resources, relays=tuple(_alone(one) for one in resources.relays))
    plans = tuple(plan(_here(relay, alone, ports, existing)) for relay in alone.relays)
    return Planned(plans, _findings(resources, plans, [note for one in resources.relays for note in _notes(one)]))


def preview(resources: Resources) -> Planned:
    """Plan every relay as a cluster would run it, with no random value in it: for `validate` and `render`."""
    plans = tuple(plan(_there(relay, resources)) for relay in resources.relays)
    return Planned(plans, _findings(resources, plans, []))


def manifests(resources: Resources, relay: str = "") -> tuple[Manifest, ...]:
    """Give the objects that the operator would make for all resources, or for one relay (`namespace/name`)."""
    external = (external_secret(one, CLUSTER) for one in resources.providers if not relay)
    chosen = (one for one in resources.relays if relay in {"", "/".join(one.metadata.key)})
    worlds = (_there(one, resources) for one in chosen)
    made = chain.from_iterable(objects(world, plan(world)) for world in worlds)
    return (*(one for one in external if one), *made)


def _here(relay: SmtpRelay, resources: Resources, ports: Ports, existing: Existing) -> Snapshot:
    key = relay.metadata.key
    mapping = ports.listeners("/".join(key), tuple(one.port for one in relay.spec.listeners))
    fresh = Fresh(token_hex(8), token_urlsafe(24))
    return Snapshot(relay, resources, fresh, existing(*key), mapping, facts=CLUSTER, now=time())


def _alone(relay: SmtpRelay) -> SmtpRelay:
    """The relay as it runs here, where it shares its providers' quotas with no other replica."""
    return relay.model_copy(update={"spec": relay.spec.model_copy(update={"replicas": 1})})


def _there(relay: SmtpRelay, resources: Resources) -> Snapshot:
    return Snapshot(relay, with_stores(resources), Fresh("", ""), facts=CLUSTER)


def _findings(resources: Resources, plans: tuple[Plan, ...], notes: list[Finding]) -> tuple[Finding, ...]:
    return in_order([*survey(resources), *(one for plan in plans for one in plan.findings), *notes])


def _notes(relay: SmtpRelay) -> list[Finding]:
    if relay.spec.replicas == 1:
        return []
    text = f"replicas is {relay.spec.replicas}; here the relay is one process"
    remedy = "nothing to do; in a cluster the number is kept"
    return [Finding(ObjectRef("SmtpRelay", *relay.metadata.key), "spec.replicas", Reason.ONE_PROCESS, text, remedy)]
