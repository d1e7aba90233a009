"""The plan of a relay, made anew only when something that it is made from has changed.

Pods are asked every few seconds, and a plan of thousands of aliases takes longer than that is worth. What time alone
changes (an alias that ends, a credential that is kept for a day) is seen within `KEPT` seconds. Pure.
"""

from dataclasses import replace

from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Snapshot
from mailhaul_operator.reconcile.memory import RelayPass

KEPT = 30.0
"""Seconds for which a plan of an equal world is used again."""


def planned(before: RelayPass | None, snapshot: Snapshot) -> RelayPass:
    """Give the plan for a snapshot; that of the pass before when nothing has changed since."""
    if before is None or not _is_equal(before.snapshot, snapshot):
        return RelayPass(snapshot, plan(snapshot))
    if 0 <= snapshot.now - before.snapshot.now < KEPT:
        return before
    made = plan(snapshot)
    return replace(before, snapshot=snapshot) if made == before.plan else RelayPass(snapshot, made)


def _is_equal(before: Snapshot, now: Snapshot) -> bool:
    """Whether only time and chance differ. Resources are compared by identity first, so this is quick."""
    return replace(now, fresh=before.fresh, now=before.now) == before
