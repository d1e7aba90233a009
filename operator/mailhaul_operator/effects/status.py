"""Writes the status of a resource when it differs from the one that is there.

Called by `reconcile` after `assess`, with the status that the cache has. A merge patch of just the difference: the
operator is the only writer of these statuses, so what it does not know goes. The uid in the patch keeps a status from
landing on a resource that was deleted and made again. Failures are values.
"""

from collections.abc import Mapping
from typing import Any

from mailhaul_operator.effects.api import Api
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import Refused


async def write_status(
    api: Api, resource: Owner, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Body | Refused | None:
    """Make the status `new` where it was `old`; gives the resource as it is then, None when there was nothing to do.

    `resource` names the SmtpRelay, UpstreamProvider or MailAlias itself.
    """
    patch = merge_patch(old, new)
    if not patch:
        return None
    body = {"metadata": {"uid": resource.uid}, "status": patch}
    return await api.patch(KINDS[resource.kind], (resource.namespace, resource.name), body, "status")


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Give the patch (RFC 7386) that makes `new` of `old`; empty when they are equal."""
    patch: dict[str, Any] = {name: None for name in old if name not in new and old[name] is not None}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[name] = inner
        elif before != value:
            patch[name] = value
    return patch
