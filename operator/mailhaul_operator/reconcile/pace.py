"""When a pass wants to come again. Seconds; chance in [0, 1) spreads what nothing hurries. Pure."""

from collections.abc import Sequence

from mailhaul_operator.api.conditions import Condition, ConditionStatus

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
TOLD = 30.0
"""The same, of an alias: whatever it waits for is told to it, and only its patience ends by itself."""
RESYNC = 600.0
"""Nothing runs and nothing is wrong: in case that an edge was missed."""


def resync(chance: float) -> float:
    """Give the time of the next look for its own sake."""
    return RESYNC * (0.8 + 0.4 * chance)


def steady(relays: int) -> float:
    """Give the time of the next look at the pods of one of so many relays."""
    return min(STEADY_AT_MOST, max(STEADY, relays / LOOKS))


def after_status(conditions: Sequence[Condition], now: float, chance: float, soonest: float = WAITING) -> float:
    """Give it for a resource of which nothing runs: soon after something has turned, ever later then, and once time
    alone changes nothing more only for its own sake: what mends it is an edge. `now` in epoch seconds, and `soonest`
    what it is at least, in seconds.
    """
    by = {one.type: one.status for one in conditions}
    if by.get("Reconciling") is not ConditionStatus.TRUE and by.get("Ready") is ConditionStatus.TRUE:
        return resync(chance)
    if "Stalled" in by:
        return resync(chance) / 10
    turned = max((one.last_transition_time.timestamp() for one in conditions), default=now)
    age = now - turned
    return resync(chance) if age > TURNED else max(soonest, age / 4)
