"""`Cause`: one thing that is wrong or under way, with reason, words and remedy, and who could mend it.

The checks make them; `ready` and `progress` decide by them; the plan's findings and the effects' obstacles become
causes here. Pure.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mailhaul_operator.assess.reasons import Reason, reason_of
from mailhaul_operator.assess.view import Obstacle
from mailhaul_operator.assess.words import MOST, tidy
from mailhaul_operator.plan.findings import Finding, ObjectRef

LONGEST_REMEDY: Final = 600
"""Characters of field and remedy."""


class Mender(StrEnum):
    """Who can end it: an edit of this object's own spec; an edit elsewhere, or the provider; a change that is on its
    way to the replicas; other work under way. Nobody has to end what is only good to know.
    """

    SPEC = "Spec"
    OTHER = "Other"
    ROLLOUT = "Rollout"
    WORK = "Work"
    NOBODY = "Nobody"

    @property
    def waits(self) -> bool:
        """Whether it ends by itself: then nothing is known to be wrong yet."""
        return self in {Mender.ROLLOUT, Mender.WORK}


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing to tell. `field` is a path, with the object before it when it is another one; `blocks` tells whether it
    keeps mail from leaving or from being accepted; `stops` that it keeps a change from ever reaching the replicas.
    """

    reason: Reason
    fact: str
    remedy: str = ""
    field: str = ""
    mender: Mender = Mender.OTHER
    blocks: bool = True
    stops: bool = False

    @property
    def message(self) -> str:
        """The fact, where to look and what to do, on one line."""
        where = f" [{self.field}]" if self.field else ""
        remedy = f". Remedy: {self.remedy.rstrip('.')}." if self.remedy else "."
        after = tidy(where + remedy, LONGEST_REMEDY)
        # The remedy is kept whole: a provider's words give way.
        fact = tidy(self.fact, MOST - len(after) - 1).rstrip(".")
        return fact + " " * bool(where) + after


def of_finding(finding: Finding, owner: ObjectRef, *, mender: Mender = Mender.OTHER, blocks: bool = True) -> Cause:
    """Make a cause of what the plan found; the field names its object when that is not the owner of the status."""
    reason = reason_of(finding.reason)
    path = finding.field if finding.object == owner else f"{finding.object} {finding.field}".rstrip()
    return Cause(reason, finding.message, finding.remedy, path, mender, blocks)


def of_obstacle(obstacle: Obstacle) -> Cause:
    """Make a cause of what the effects met."""
    reason = reason_of(obstacle.reason)
    mender, blocks = Mender.SPEC if obstacle.own else Mender.OTHER, reason not in HARMLESS
    return Cause(reason, obstacle.message, obstacle.remedy, mender=mender, blocks=blocks, stops=blocks)


def of_message(reason: str, message: str) -> Cause:
    """Make a cause of a message that a cause once gave, so that it can be told again."""
    before, found, remedy = message.rpartition(". Remedy: ")
    fact, field = before if found else message, ""
    if fact.endswith("]") and " [" in fact:
        fact, _, field = fact[:-1].rpartition(" [")
    return Cause(reason_of(reason), fact, remedy if found else reason_of(reason).remedy, field)


HARMLESS = frozenset({Reason.VOLUME_CANNOT_GROW, Reason.TERMINATION_BLOCKED, Reason.KIND_NOT_SERVED})
"""Obstacles that keep no mail from leaving by themselves."""
