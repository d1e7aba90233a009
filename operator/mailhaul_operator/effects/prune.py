"""Deletes what was made for a resource and is wanted no more.

Called by `reconcile` after `apply`. Only objects whose controller is the owner itself, by uid, and that carry our
labels; claims and Secrets never: the one hold mail, the other the operator has
no right to delete. Failures are values.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.known import Known
from mailhaul_operator.plan.naming import MANAGED_BY, MANAGER
from mailhaul_operator.wire.objects import Owner, is_going, labels, name_of
from mailhaul_operator.wire.refused import Refusal, Refused

KEPT: Final = frozenset({"PersistentVolumeClaim", "Secret", "Pod", "ReplicaSet", "ControllerRevision"})
"""Kinds that are never pruned; pods and revisions are their workload's."""


async def prune(
    api: Api, known: Known, desired: Iterable[Mapping[str, Any]], owner: Owner, spared: frozenset[str] = frozenset()
) -> tuple[int, tuple[Refused, ...]]:
    """Delete the owner's objects that are not among the desired ones, nor of a kind that is spared; gives how many
    went, and what was refused.

    Does nothing when nothing is desired: then there is no plan, and what runs stays.
    """
    wanted = {(one["kind"], *name_of(one)) for one in desired}
    if not wanted:
        return 0, ()
    gone, refusals = 0, []
    for one in known.owned(owner.uid):
        if (one["kind"], *name_of(one)) in wanted or one["kind"] in spared or not _is_to_go(one):
            continue
        answer = await api.delete(one)
        if isinstance(answer, Refused) and answer.kind is not Refusal.NOT_FOUND:
            refusals.append(answer)
        else:
            gone += 1
            known.remove(one)
    return gone, tuple(refusals)


def _is_to_go(body: Mapping[str, Any]) -> bool:
    ours = labels(body).get(MANAGED_BY) == MANAGER
    return ours and body["kind"] not in KEPT and not is_going(body)
