"""Which relays have all their objects as they should be, so that a pass need not render and compare them again.

Pods are asked every few seconds; ten objects of each relay, rendered and compared each time, would cost more than all
else. What is there is told by the versions that the cache has. Used by `relay`. Lost at a restart without harm. Pure.
"""

from mailhaul_operator.plan.snapshot import Plan
from mailhaul_operator.wire.key import Key

Versions = frozenset[tuple[Key, int]]
"""Objects, and the version of each."""


class Settled:
    """Remembers of each relay the plan and the versions at which nothing was left to do."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[Plan, Versions]] = {}

    def holds(self, relay: Key, plan: Plan, versions: Versions) -> bool:
        """Whether this very plan was found in force, and no object has changed since. `planning` keeps a plan only
        while everything that the objects are made from is equal.
        """
        known = self._known.get(relay)
        return known is not None and known[0] is plan and known[1] == versions

    def note(self, relay: Key, plan: Plan, versions: Versions) -> None:
        """Take notice that all objects are as they should be."""
        self._known[relay] = plan, versions

    def forget(self, relay: Key) -> None:
        """Forget a relay, one that is gone or of which something is to be done."""
        self._known.pop(relay, None)
