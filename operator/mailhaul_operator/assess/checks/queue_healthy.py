"""`QueueHealthy`: is there room, can every record be read, is nothing held? Dead letters are told too. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.drafts import TRUE, Draft, draft, failing
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.last_error import last_said
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.words import counted, messages_are

QUEUE_HEALTHY: Final = "QueueHealthy"
_TOLD: Final = frozenset({Reason.DEAD_LETTERS, Reason.MAIL_ON_HOLD})
"""What a person may want so: told, and no fault."""
NEAR: Final = 0.8
"""Of the watermark."""


def queue_healthy(facts: RelayFacts) -> Aspect:
    """Judge the queues of all replicas."""
    causes = tuple(cause for pod, report in facts.reports for cause in _of_replica(facts, pod, report))
    known = [_blocking(facts, one) if one.reason is Reason.NOT_ACCEPTING else one for one in causes]
    bad = next((one for one in known if one.reason not in _TOLD), None)
    if bad:
        return Aspect(failing(QUEUE_HEALTHY, bad), tuple(known))
    if known:
        return Aspect(draft(QUEUE_HEALTHY, TRUE, known[0]), tuple(known))
    return Aspect(Draft(QUEUE_HEALTHY, TRUE, Reason.QUEUE_MOVES, Reason.QUEUE_MOVES.meaning))


def _blocking(facts: RelayFacts, cause: Cause) -> Cause:
    """That a replica takes no mail blocks when no other does; one that has no configuration yet is still starting."""
    if any(one.accepting for _, one in facts.reports):
        return cause
    loads = any(one.digest != facts.view.plan.digest and not one.refused_config for _, one in facts.reports)
    return replace(cause, mender=Mender.ROLLOUT if loads else Mender.OTHER, blocks=True)


def _told(reason: Reason, fact: str, remedy: str = "", field: str = "") -> Cause:
    return Cause(reason, fact, remedy or reason.remedy, field, Mender.NOBODY, blocks=False)


def _of_replica(facts: RelayFacts, pod: str, report: RelayReport) -> Iterator[Cause]:
    queue, mark = report.queue, facts.view.relay.spec.queue.high_watermark.messages
    if not report.accepting and not report.draining:
        why = report.not_accepting_reason or "no reason given"
        yield _told(Reason.NOT_ACCEPTING, f"replica {pod} accepts no mail: {why}")
    if queue.quarantined:
        records = counted(queue.quarantined, "record")
        yield _told(Reason.RECORDS_QUARANTINED, f"{records} of {pod} cannot be read")
    waiting = queue.queued + queue.deferred + queue.held
    if waiting >= NEAR * mark:
        words = f"{messages_are(waiting)} waiting in {pod}, and at {mark} it answers 452"
        yield _told(Reason.QUEUE_NEARLY_FULL, words, field="spec.queue.highWatermark.messages")
    if queue.on_hold:
        yield _told(Reason.MAIL_ON_HOLD, f"{messages_are(queue.on_hold)} held by an operator in {pod}")
    if queue.held > queue.on_hold:
        said = last_said(facts, report)
        wished = facts.view.relay.spec.delivery.suspended
        remedy = Reason.SUSPENDED.remedy if wished else said.remedy if said else ""
        yield _told(Reason.MAIL_HELD, f"{messages_are(queue.held - queue.on_hold)} held in {pod}", remedy)
    if queue.dead:
        yield _told(Reason.DEAD_LETTERS, f"{messages_are(queue.dead)} kept as dead letters in {pod}")
