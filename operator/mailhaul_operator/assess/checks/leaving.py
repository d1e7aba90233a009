"""Replicas that are to go and still hold mail; the relay is Reconciling until they are empty. No condition of its own.

Pure.
"""

from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.words import counted


def leaving(facts: RelayFacts) -> Aspect:
    """Say which leaving replica holds how much."""
    held = sorted((name, count) for name, count in facts.view.holding.items() if count)
    if not held:
        return Aspect()
    words = "; ".join(f"{name} still holds {counted(count)}" for name, count in held)
    remedy = "wait until it is delivered, or drop dead letters with `mailhaul queue`"
    return Aspect(causes=(Cause(Reason.SCALING_DOWN, words, remedy, mender=Mender.WORK, blocks=False),))
