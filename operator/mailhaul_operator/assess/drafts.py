"""Conditions as they are written: drafts take the time of transition from the previous status where nothing flipped.

Used by the three assessments. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mailhaul_operator.api.conditions import Condition, Conditions, ConditionStatus
from mailhaul_operator.api.moments import moment
from mailhaul_operator.assess.causes import Cause
from mailhaul_operator.assess.reasons import Reason

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Draft:
    """A condition but for its times."""

    type: str
    status: ConditionStatus
    reason: Reason
    message: str = ""


def draft(type_: str, status: ConditionStatus, cause: Cause) -> Draft:
    """Draft a condition that tells a cause."""
    return Draft(type_, status, cause.reason, cause.message)


def failing(type_: str, cause: Cause) -> Draft:
    """Draft a condition that a cause keeps from being True: Unknown while it may end by itself."""
    return draft(type_, UNKNOWN if cause.mender.waits else FALSE, cause)


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an assessment is made, of which generation, and what was said before it."""

    now: float
    generation: int
    previous: Conditions = ()

    @property
    def before(self) -> Mapping[str, Condition]:
        """The previous conditions by type."""
        return {one.type: one for one in self.previous}

    def write(self, drafts: Iterable[Draft]) -> Conditions:
        """Give the conditions in the order of the drafts."""
        before = self.before
        return tuple(self._one(one, before.get(one.type)) for one in drafts)

    def _one(self, new: Draft, old: Condition | None) -> Condition:
        flipped = old is None or old.status is not new.status
        return Condition(
            type=new.type,
            status=new.status,
            observed_generation=max(0, self.generation),
            last_transition_time=moment(self.now) if flipped or old is None else old.last_transition_time,
            reason=new.reason.value,
            message=new.message,
        )
