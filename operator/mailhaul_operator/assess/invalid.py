"""`assess_invalid`: a resource that does not parse: Stalled at once, for only an edit of its own spec can mend it.

The API server refuses such a resource; one may be older than the rules, or written by a newer operator. What was made
for it stays as it is, and so do its other conditions. Called by `reconcile`. Pure.
"""

from collections.abc import Sequence
from typing import Final

from mailhaul_contract.refusals import Refusal
from mailhaul_operator.api.conditions import Condition, Conditions
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.drafts import FALSE, READY, RECONCILING, STALLED, TRUE, Stamp, draft
from mailhaul_operator.assess.reasons import Reason

MOST: Final = 5
"""Refusals that are told."""


def assess_invalid(refused: Sequence[Refusal], previous: Conditions, generation: int, now: float) -> Conditions:
    """Give the conditions of a resource that was refused for these reasons."""
    first = refused[0] if refused else Refusal("", "cannot be read", "write it anew")
    others = [str(one) for one in refused[1:MOST]]
    cause = Cause(
        Reason.INVALID,
        "; also ".join([f"the resource is not valid: {first.reason}", *others]),
        first.remedy,
        first.path,
        Mender.SPEC,
    )
    stamp = Stamp(now, generation, previous)
    told = stamp.write((draft(READY, FALSE, cause), draft(STALLED, TRUE, cause)))
    return (told[0], *_kept(previous), told[1])


def _kept(previous: Conditions) -> tuple[Condition, ...]:
    return tuple(one for one in previous if one.type not in {READY, RECONCILING, STALLED})
