"""Mail that a person holds: nothing releases it but a person, or the end of its time.

No reload, wake or breaker changes it (`Progress.is_on_hold`); `queue.verbs` makes and ends it, `queue.rounds` leaves it
as it is when it comes up. Pure.
"""

from math import inf

from mailhaul_contract.config import Queue
from mailhaul_relay.model.message import Progress, State
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.policy.retry import after_wait
from mailhaul_relay.policy.routing import Wait

ON_HOLD = Wait(inf, State.HELD, Fault.OPERATOR, "held by an operator; `mailhaul queue release` lets it go on")
"""The decision about mail on hold: to wait, until it expires."""


def on_hold(progress: Progress, queue: Queue, accepted: float, now: float) -> Progress | None:
    """Give a waiting recipient as it is held; the last words of its upstream stay. None when its time is over."""
    kept = after_wait(progress, ON_HOLD, queue, accepted, now)
    return kept if kept.is_open else None
