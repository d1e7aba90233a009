"""Gives pods of a StatefulSet their labels back. Without them the Service leads nowhere, the operator does not see the
pod, and the StatefulSet lets go of it and can make no other, for the name is taken.

Called by `reconcile` when replicas are missing that the StatefulSet should have made. Labels are patched through
`pods/status`, whose right cannot change an image. Failures are values: the next pass looks again.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mailhaul_operator.assess.view import PodView, WorkloadView
from mailhaul_operator.effects.api import Api
from mailhaul_operator.plan.naming import relay_labels
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS
from mailhaul_operator.wire.objects import controller, is_going, labels, name_of
from mailhaul_operator.wire.refused import Refused

POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
"""Label that a StatefulSet gives each of its pods."""


async def take_back(api: Api, relay: Key, workload: WorkloadView, pods: Iterable[PodView]) -> int:
    """Look for the replicas of a relay's StatefulSet that nobody sees; gives how many got their labels back."""
    if not (workload.exists and workload.observed):
        return 0
    found = 0
    for ordinal in sorted(set(range(workload.wanted)) - {one.ordinal for one in pods}):
        name = f"{relay.name}-{ordinal}"
        body = await api.get(KINDS["Pod"], relay.namespace, name)
        if isinstance(body, Refused) or not _is_stray(body, relay.name):
            continue
        patch = {"metadata": {"labels": relay_labels(relay.name)}}
        answer = await api.patch(KINDS["Pod"], (relay.namespace, name), patch, "status")
        found += not isinstance(answer, Refused)
    return found


def _is_stray(pod: Mapping[str, Any], workload: str) -> bool:
    """Whether a pod was made by the StatefulSet and lacks a label of ours."""
    holder = controller(pod)
    theirs = (holder.get("kind"), holder.get("name")) == ("StatefulSet", workload) if holder else True
    lacks = not relay_labels(workload).items() <= labels(pod).items()
    return theirs and lacks and not is_going(pod) and labels(pod).get(POD_NAME) == name_of(pod)[1]
