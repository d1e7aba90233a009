"""What kept the operator from making the relay's objects as they should be; it has no condition of its own.

It shows in Ready, Reconciling and Stalled. Pure.
"""

from mailhaul_operator.assess.causes import of_obstacle
from mailhaul_operator.assess.facts import Aspect, RelayFacts


def obstacles(facts: RelayFacts) -> Aspect:
    """Give a cause for each obstacle, the relay's own mistakes first."""
    met = sorted(facts.view.obstacles, key=lambda one: (not one.own, one.object, one.reason))
    return Aspect(causes=tuple(of_obstacle(one) for one in met))
