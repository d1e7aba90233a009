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
    """Say which leaving replica holds how much."""
    told = [f"{name} still holds {counted(count)}" for name, count in sorted(facts.view.holding.items()) if count]
    words = "; ".join([*told, *(f"what {name} still holds is not known" for name in _untold(facts))])
    if not words:
        return Aspect()
    remedy = "wait until it is delivered, or drop dead letters with `mailhaul queue`"
    return Aspect(causes=(Cause(Reason.SCALING_DOWN, words, remedy, mender=Mender.WORK, blocks=False),))


def _untold(facts: RelayFacts) -> list[str]:
    wanted = facts.view.relay.spec.replicas
    gone = [one for one in facts.staying if one.ordinal is not None and one.ordinal >= wanted]
    return [one.name for one in gone if not isinstance(one.report, RelayReport)]
