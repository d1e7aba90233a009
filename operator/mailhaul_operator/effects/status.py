"""Writes the status of a resource when it differs from the one that is there.

Called by `reconcile` after `assess`, with the status that the cache has. The whole status is written: the operator is
its only writer, and what others put there goes. A JSON patch (RFC 6902) whose test on the uid keeps a status from
landing on a resource that was deleted and made again; in a merge patch of a status the API server ignores the uid.
Failures are values; `Invalid` also when that test failed.
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
    if old == new:
        return None
    steps: list[Mapping[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": resource.uid},
        {"op": "add", "path": "/status", "value": dict(new)},
    ]
    return await api.patch_steps(KINDS[resource.kind], (resource.namespace, resource.name), steps, "status")
