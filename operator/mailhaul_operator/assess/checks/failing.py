"""Does accepted mail fail for good, with none leaving since? A part of `Delivering`.

A fault of one message (its recipient, its size) says nothing of others. Any other failure says that mail does not
leave, until a delivery says otherwise: at once where nothing was ever delivered, else after `spec.delivery.staleAfter`,
and what is refused for its content from the third of a day on. A pod's restart mends nothing; new settings or a new
credential of the upstream do. Pure.
"""

from collections.abc import Iterator
from typing import Final

from mailhaul_contract.report import RelayReport
from mailhaul_operator.api.moments import epoch
from mailhaul_operator.assess.causes import Cause, of_message
from mailhaul_operator.assess.drafts import FALSE
from mailhaul_operator.assess.facts import RelayFacts
from mailhaul_operator.assess.last_error import last_said
from mailhaul_operator.assess.reasons import Reason

DELIVERING: Final = "Delivering"
OF_ONE_MESSAGE: Final = frozenset({"recipient", "size", "capability"})
"""Faults that concern no other mail."""
FOR_GOOD: Final = frozenset({"content", "protocol", "expired"})
"""Faults for which mail dies at once; for others it dies by waiting, so that nothing waits any more then."""
SEVERAL: Final = 3
"""Messages of a day that a provider refuses for their content before that says anything of others, where some have been
delivered before: a relay that forwards gets spam too."""
SETTLED: Final = 1.0
"""Seconds of a process's start in which every upstream is new to it."""


def failing(facts: RelayFacts) -> Iterator[Cause]:
    """Give one cause at most, the first replica's."""
    patience = facts.view.relay.spec.delivery.stale_after if facts.ever_delivered else 0
    fails = [one for one in facts.reports if _fails(facts, one[1], patience)]
    before = facts.stamp.before.get(DELIVERING)
    found = next(iter(fails), None) or _as_before(facts)
    if found is None:
        return
    if not fails and before and before.reason == Reason.MAIL_FAILS:
        # A later error may be of one message only, or forgotten: what was told still holds.
        yield of_message(before.reason, before.message)
        return
    pod, report = found
    said, why = last_said(facts, report), Reason.MAIL_FAILS
    words = f"what {pod} accepted fails for good, and none has left since" + (f"; {said.words}" if said else "")
    yield Cause(why, words, said.remedy if said else why.remedy, said.provider if said else "")


def has_failed(facts: RelayFacts) -> bool:
    """Whether any mail has failed for good, as far as the replicas know."""
    return any(one.failed or one.queue.dead for _, one in facts.reports)


def failed_before(facts: RelayFacts) -> bool:
    """Whether the last that is known of mail is a failure with settings that are not in use any more."""
    return any(_is_failure(facts, one) and _is_past(one) for _, one in facts.reports)


def still_stuck(facts: RelayFacts) -> bool:
    """Whether nothing has left since `Delivering` turned False: then the start of a process gives no new patience."""
    before = facts.stamp.before.get(DELIVERING)
    turned = epoch(before.last_transition_time) if before and before.status is FALSE else None
    return turned is not None and facts.last_delivery <= turned


def _fails(facts: RelayFacts, report: RelayReport, patience: float) -> bool:
    error = report.last_error
    if error is None or not _is_failure(facts, report) or _is_past(report):
        return False
    return report.time - error.time >= patience


def _is_failure(facts: RelayFacts, report: RelayReport) -> bool:
    """Whether the last error, newer than any delivery, has cost mail that is not to blame itself."""
    error = report.last_error
    if error is None or not report.failed or error.fault in OF_ONE_MESSAGE or error.time <= facts.last_delivery:
        return False
    if error.fault == "content" and facts.ever_delivered and report.failed_last_day < SEVERAL:
        return False
    return error.fault in FOR_GOOD or not _waiting(report)


def _is_past(report: RelayReport) -> bool:
    """Whether the upstream that failed is gone, or has had other settings since."""
    error, name = report.last_error, report.last_error_upstream
    if error is None or not name or not report.upstreams:
        return False
    return all(one.name != name or one.opened > error.time for one in report.upstreams)


def _as_before(facts: RelayFacts) -> tuple[str, RelayReport] | None:
    """A replica that still has the mail that died, of a relay that was told to fail, and nothing is new since."""
    before = facts.stamp.before.get(DELIVERING)
    if before is None or not still_stuck(facts) or before.reason not in {Reason.MAIL_FAILS, Reason.NOT_DELIVERING}:
        return None
    turned = epoch(before.last_transition_time)
    if any(_is_past(one) or _changed(facts, one, turned) for _, one in facts.reports):
        return None
    lost = [(pod, one) for pod, one in facts.reports if (one.failed or one.queue.dead) and not _waiting(one)]
    if before.reason == Reason.NOT_DELIVERING:
        lost = [(pod, one) for pod, one in lost if not (one.last_error and one.last_error.fault in OF_ONE_MESSAGE)]
    return next(iter(lost), None)


def _changed(facts: RelayFacts, report: RelayReport, turned: float) -> bool:
    """Whether the upstream that failed has had other settings since then, in this process."""
    known = facts.status.last_error
    name = report.last_error_upstream or (known.upstream if known else "")
    newest = max(turned, report.started + SETTLED)
    return any(one.opened > newest for one in report.upstreams if one.name == name)


def _waiting(report: RelayReport) -> int:
    queue = report.queue
    return queue.queued + queue.deferred + max(0, queue.held - queue.on_hold)
