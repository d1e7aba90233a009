"""When a pass wants to come again. Seconds; chance in [0, 1) spreads what nothing hurries. Pure."""

from collections.abc import Sequence

from mailhaul_operator.api.conditions import Condition, ConditionStatus

BUSY = 1.0
"""Something is under way: pods start, a configuration travels, a credential is not proved yet."""
FAILED = 1.0
"""The API server could not be asked or did not take a write, for a cause that passes by itself."""
STEADY = 5.0
"""Pods run: what they report is looked at."""
WAITING = 5.0
"""Nothing runs, and something else has to come first: a provider, a Secret, a relay."""
RESYNC = 600.0
"""Nothing runs and nothing is wrong: in case that an edge was missed."""


def resync(chance: float) -> float:
    """Give the time of the next look for its own sake."""
    return RESYNC * (0.8 + 0.4 * chance)


def after_status(conditions: Sequence[Condition], chance: float) -> float:
    """Give it for a resource of which nothing runs: sooner while its conditions may yet change with time alone."""
    by = {one.type: one.status for one in conditions}
    if by.get("Reconciling") is ConditionStatus.TRUE or by.get("Ready") is not ConditionStatus.TRUE:
        return WAITING if "Stalled" not in by else RESYNC / 10
    return resync(chance)
