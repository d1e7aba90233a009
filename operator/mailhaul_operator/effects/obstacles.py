"""What stands in the way of an object being as it should be, in words: cause and remedy.

Made by `apply` and `volumes`; `assess` makes conditions of them. The reasons are documented members of its enum. Pure.
"""

from collections.abc import Mapping
from typing import Any

from mailhaul_operator.assess.view import Obstacle
from mailhaul_operator.plan.naming import ADOPT, MANAGED_BY, MANAGER
from mailhaul_operator.wire.objects import Owner, controller, labels, name_of
from mailhaul_operator.wire.refused import Refusal, Refused


def title(body: Mapping[str, Any]) -> str:
    """Give `Service smtp/smtp-relay`."""
    return f"{body.get('kind', '')} {'/'.join(part for part in name_of(body) if part)}"


def name_taken(live: Mapping[str, Any], owner: Owner) -> Obstacle:
    """An object with the name that we need is somebody else's."""
    holder = controller(live)
    unowned = "has lost its ownerReference" if labels(live).get(MANAGED_BY) == MANAGER else "was not made by Mailhaul"
    whose = f"belongs to {holder.get('kind', '')} {holder.get('name', '')}" if holder else unowned
    remedy = (
        f"rename the {owner.kind}, or delete the object"
        if holder
        else f"annotate it with {ADOPT}={owner.name} to let the relay take it over, or rename or delete it"
    )
    return Obstacle(title(live), "NameTaken", f"{title(live)} is there and {whose}", remedy)


def termination_blocked(live: Mapping[str, Any], finalizers: tuple[str, ...]) -> Obstacle:
    """An object was deleted, and a finalizer keeps it."""
    names = ", ".join(finalizers) or "none"
    return Obstacle(
        title(live),
        "TerminationBlocked",
        f"{title(live)} is being deleted and cannot be made again until its finalizers are gone ({names})",
        "let the controller that set the finalizer finish, or remove the finalizer from the object",
    )


def cannot_grow(claim: Mapping[str, Any], wanted: str, why: str) -> Obstacle:
    """A volume cannot be made larger."""
    return Obstacle(
        title(claim),
        "VolumeCannotGrow",
        f"{title(claim)} cannot be made {wanted} large: {why}",
        "set allowVolumeExpansion: true in the StorageClass where its driver can grow volumes; else delete the relay "
        "(its volumes stay while spec.queue.storage.whenDeleted is Retain) and make it again with the former size",
    )


def refused(desired: Mapping[str, Any], refusal: Refused) -> Obstacle:
    """The API server does not take an object; `refusal` is one that does not pass by itself."""
    what = title(desired)
    if refusal.kind is Refusal.FORBIDDEN:
        remedy = "grant the operator the right, or lift the quota or policy that the message names"
        return Obstacle(what, "Forbidden", f"{what} may not be applied: {refusal.message}", remedy)
    if refusal.kind is Refusal.NOT_FOUND:
        remedy = f"install what serves the kind {desired.get('kind', '')}, or create the namespace"
        return Obstacle(what, "KindNotServed", f"{what} cannot be applied: {refusal.message}", remedy)
    remedy = "correct the field of spec that the message leads to"
    return Obstacle(what, "Invalid", f"the API server refuses {what}: {refusal.message}", remedy, own=True)
