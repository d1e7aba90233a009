"""Whose an object is: of which owner, of which of our resources; and which resources lead to which. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.manifests.kinds import OWN
from mailhaul_operator.observe.resources import Resource
from mailhaul_operator.plan.naming import PROVIDER, RELAY
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.objects import controller, labels, metadata, name_of


@dataclass(frozen=True, slots=True)
class Belonging:
    """An object's own uid, the uids of its controller (one at most), and the resources that it is about."""

    uid: str
    owners: tuple[str, ...]
    resources: frozenset[Key]


def belonging(body: Mapping[str, Any]) -> Belonging:
    """Read it from the ownerReference, and from our labels, which pods have too."""
    namespace, _ = name_of(body)
    holder, marks = controller(body), labels(body)
    found = set()
    if marks.get(RELAY):
        found.add(Key("SmtpRelay", namespace, marks[RELAY]))
    if marks.get(PROVIDER):
        found.add(Key("UpstreamProvider", namespace, marks[PROVIDER]))
    if holder.get("kind") in OWN:
        found.add(Key(str(holder["kind"]), namespace, str(holder.get("name", ""))))
    owners = (str(holder["uid"]),) if holder.get("uid") else ()
    return Belonging(metadata(body).get("uid", ""), owners, frozenset(found))


def leads_to(model: Resource | None) -> tuple[Key, ...]:
    """Give what a resource is read for: a relay its providers, an alias its relay."""
    if isinstance(model, SmtpRelay):
        namespace = model.metadata.namespace
        return tuple(Key("UpstreamProvider", namespace, one.provider_ref.name) for one in model.spec.upstreams)
    return (Key("SmtpRelay", *model.relay),) if isinstance(model, MailAlias) else ()


def is_made(body: Mapping[str, Any]) -> bool:
    """Whether this is an object that the operator made: its controller is a resource of ours. Labels do not tell:
    External Secrets copies those of an ExternalSecret to the Secret that it makes.
    """
    return controller(body).get("kind") in OWN
