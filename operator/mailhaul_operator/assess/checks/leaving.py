"""Replicas that are to go and may still hold mail; the relay is Reconciling until they are empty.

No condition of its own. One that does not tell what it holds counts as one that holds mail, as in
`reconcile.draining`. Pure.
"""

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.words import counted


def leaving(facts: RelayFacts) -> Aspect:
    """Say which leaving replica holds how much, and first which one has no pod that could deliver it."""
    told = [f"{name} still holds {counted(count)}" for name, count in sorted(facts.view.holding.items()) if count]
    told += [f"what {name} still holds is not known" for name in _untold(facts)]
    away = [f"{name} may still hold mail, and has no pod just now" for name in sorted(facts.view.away)]
    remedy = "wait until it is delivered, or drop dead letters with `mailhaul queue`"
    return Aspect(causes=(*_cause(away, _back(facts)), *_cause(told, remedy)))


def _cause(told: list[str], remedy: str) -> tuple[Cause, ...]:
    if not told:
        return ()
    return (Cause(Reason.SCALING_DOWN, "; ".join(told), remedy, mender=Mender.WORK, blocks=False),)


def _back(facts: RelayFacts) -> str:
    """How a pod comes back. Its volume outlives it, and nothing smaller is made of the workload meanwhile."""
    meta = facts.view.relay.metadata
    return (
        "wait until its StatefulSet has made the pod again, which then delivers its mail; if none comes, see "
        f"`kubectl describe statefulset {meta.name} -n {meta.namespace}` and the node that has its volume"
    )


def _untold(facts: RelayFacts) -> list[str]:
    wanted = facts.view.relay.spec.replicas
    gone = [one for one in facts.staying if one.ordinal is not None and one.ordinal >= wanted]
    return [one.name for one in gone if not isinstance(one.report, RelayReport)]
