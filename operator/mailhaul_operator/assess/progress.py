"""Reconciling and Stalled, the two conditions by which kstatus, Flux and Argo CD tell work from failure.

A mistake in the object's own spec is Stalled at once, for only its author can mend it. What another object or the
provider could mend is given `GRACE` first: GitOps applies in any order, and Flux fails fast. While a change is on its
way to the replicas nothing that they report is Stalled, since it is of the past; but what keeps the change itself from
arriving ends the waiting. Never both. Pure.
"""

from collections.abc import Sequence
from typing import Final

from mailhaul_operator.api.moments import epoch
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.drafts import FALSE, READY, RECONCILING, STALLED, TRUE, Draft, Stamp, draft

GRACE: Final = 120.0
"""Seconds that another object, or the provider, is given to mend what is wrong."""


def progress(causes: Sequence[Cause], ready: Draft, stamp: Stamp) -> tuple[Draft, ...]:
    """Give the one of the two that is True, or none."""
    spec, rollout = _first(causes, Mender.SPEC), _first(causes, Mender.ROLLOUT)
    if spec:
        return (draft(STALLED, TRUE, spec),)
    stuck = next((one for one in causes if one.stops and one.mender is Mender.OTHER), None)
    if stuck and seconds_left(ready, stamp) <= 0:
        return (draft(STALLED, TRUE, stuck),)
    if rollout:
        return (draft(RECONCILING, TRUE, rollout),)
    other, work = _first(causes, Mender.OTHER), _first(causes, Mender.WORK)
    if other and seconds_left(ready, stamp) <= 0:
        return (draft(STALLED, TRUE, other),)
    if work:
        return (draft(RECONCILING, TRUE, work),)
    if other and ready.status is TRUE:
        return (draft(RECONCILING, TRUE, other),)
    return ()


def seconds_left(ready: Draft, stamp: Stamp) -> float:
    """Give what is left of the grace: from when Ready turned False; while Ready is not, from when Reconciling began."""
    before = stamp.before
    fails = ready.status is FALSE
    if not fails and STALLED in before:
        return 0
    began = before.get(READY if fails else RECONCILING)
    if began is None or began.status is not (FALSE if fails else TRUE):
        return GRACE
    return GRACE - (stamp.now - epoch(began.last_transition_time))


def _first(causes: Sequence[Cause], mender: Mender) -> Cause | None:
    return next((one for one in causes if one.mender is mender), None)
