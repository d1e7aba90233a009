"""When a pass wants to come again. Seconds; chance in [0, 1) spreads what nothing hurries. Pure."""

from collections.abc import Mapping, Sequence

from mailhaul_operator.api.conditions import Condition, ConditionStatus
from mailhaul_operator.assess.progress import GRACE

BUSY = 1.0
"""Something is under way: pods start, a configuration travels, a credential is not proved yet."""
FAILED = 1.0
"""The API server could not be asked or did not take a write, for a cause that passes by itself."""
STEADY = 5.0
"""Pods run: what they report is looked at."""
STEADY_AT_MOST = 60.0
"""The same, of very many relays."""
LOOKS = 20.0
"""So many relays with pods are looked at in a second, so that a large cluster costs the operator a tenth of a core."""
WAITING = 5.0
"""Nothing runs, and something else has to come first: a provider, a Secret, a relay."""
TURNED = 150.0
"""Seconds after a condition turned in which another may follow by time alone (`assess.progress.GRACE`)."""
AFTERWARDS = 2.0
"""So long after a grace, and up to twice that, its end is told: many may end at once."""
RESYNC = 600.0
"""Nothing runs and nothing is wrong: in case that an edge was missed."""


def resync(chance: float) -> float:
    """Give the time of the next look for its own sake."""
    return RESYNC * (0.8 + 0.4 * chance)


def steady(relays: int) -> float:
    """Give the time of the next look at the pods of one of so many relays."""
    return min(STEADY_AT_MOST, max(STEADY, relays / LOOKS))


def after_status(conditions: Sequence[Condition], now: float, chance: float) -> float:
    """Give it for a resource of which nothing runs: soon after something has turned, ever later then, and once time
    alone changes nothing more only for its own sake: what mends it is an edge. `now` in epoch seconds.
    """
    by = _by_type(conditions)
    if _is_well(by):
        return resync(chance)
    if "Stalled" in by:
        return resync(chance) / 10
    age = min(_ages(conditions, now), default=0.0)
    return resync(chance) if age > TURNED else max(WAITING, age / 4)


def after_told(conditions: Sequence[Condition], now: float, chance: float) -> float:
    """Give it for an alias: whatever it waits for is told to it, and time alone ends nothing but its grace."""
    left = [GRACE - age for age in _ages(conditions, now) if age < GRACE]
    return resync(chance) if not left or _is_well(_by_type(conditions)) else min(left) + AFTERWARDS * (1 + chance)


def _by_type(conditions: Sequence[Condition]) -> Mapping[str, ConditionStatus]:
    return {one.type: one.status for one in conditions}


def _is_well(by: Mapping[str, ConditionStatus]) -> bool:
    return by.get("Reconciling") is not ConditionStatus.TRUE and by.get("Ready") is ConditionStatus.TRUE


def _ages(conditions: Sequence[Condition], now: float) -> list[float]:
    """Seconds since each of them turned."""
    return [now - one.last_transition_time.timestamp() for one in conditions]
