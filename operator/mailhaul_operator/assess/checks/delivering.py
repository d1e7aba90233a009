"""`Delivering`: does what was accepted leave? False at once when a From is refused everywhere, and when mail has waited
for `spec.delivery.staleAfter` with nothing leaving meanwhile; when it fails for good, as `failing` says; Unknown while
nothing was delivered. Pure.
"""

from collections.abc import Iterator

from mailhaul_contract.report import RelayReport
from mailhaul_operator.api.moments import moment
from mailhaul_operator.api.relay_delivery import DeliveryMode, RelayDelivery
from mailhaul_operator.assess.bounds import known_time
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.checks.failing import DELIVERING, failed_before, failing, has_failed, still_stuck
from mailhaul_operator.assess.checks.upstreams_ready import upstreams_ready
from mailhaul_operator.assess.drafts import FALSE, TRUE, UNKNOWN, Draft, draft
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.last_error import last_said
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.ways import sender_reply
from mailhaul_operator.assess.words import messages_are, reply_words, sender_remedy


def delivering(facts: RelayFacts) -> Aspect:
    """Judge whether mail leaves."""
    wish = facts.view.relay.spec.delivery
    if wish.suspended:
        suspended = _wished(Reason.SUSPENDED, "spec.delivery.suspended", Mender.SPEC)
        return Aspect(draft(DELIVERING, FALSE, suspended), (suspended,))
    causes = (*_refused_senders(facts), *_stale(facts), *failing(facts), *_elsewhere(wish))
    first = next((one for one in causes if one.blocks), None) or _out(facts)
    if first:
        return Aspect(draft(DELIVERING, FALSE, first), causes)
    if wish.mode is DeliveryMode.CAPTURE:
        return Aspect(Draft(DELIVERING, TRUE, Reason.CAPTURED, Reason.CAPTURED.meaning), causes)
    if not facts.ever_delivered or failed_before(facts):
        why = Reason.NOTHING_DELIVERED_YET if has_failed(facts) else Reason.NOTHING_SENT_YET
        return Aspect(Draft(DELIVERING, UNKNOWN, why, why.meaning), causes)
    redirected = next((one for one in causes if one.reason is Reason.REDIRECTED), None)
    if redirected:
        return Aspect(draft(DELIVERING, TRUE, redirected), causes)
    return Aspect(Draft(DELIVERING, TRUE, Reason.MAIL_LEAVES, "what was accepted leaves"), causes)


def _elsewhere(wish: RelayDelivery) -> Iterator[Cause]:
    """Mail that goes elsewhere than its authors meant is no fault, but whoever looks must see it."""
    if wish.redirect_to and wish.mode is DeliveryMode.LIVE:
        yield _wished(Reason.REDIRECTED, "spec.delivery.redirectTo", Mender.NOBODY)


def _wished(reason: Reason, field: str, mender: Mender) -> Cause:
    return Cause(reason, reason.meaning.rstrip("."), reason.remedy, field, mender, blocks=mender is Mender.SPEC)


def _out(facts: RelayFacts) -> Cause | None:
    """With no upstream left nothing leaves; `UpstreamsReady` has told why."""
    return next((one for one in upstreams_ready(facts).causes if one.blocks and not one.mender.waits), None)


def _refused_senders(facts: RelayFacts) -> Iterator[Cause]:
    """A From that every upstream of a replica refuses stops that domain's mail; one that some refuse does not."""
    told: set[str] = set()
    for _, report in facts.reports:
        refused = [set(one.refused_senders) for one in report.upstreams]
        for domain in sorted(set[str]().union(*refused) - told):
            told.add(domain)
            yield _refused(facts, report, domain)


def _refused(facts: RelayFacts, report: RelayReport, domain: str) -> Cause:
    refusing = [one for one in report.upstreams if domain in one.refused_senders]
    by_all = len(refusing) == len(report.upstreams)
    reply = next((one for one in (sender_reply(each, domain) for each in refusing) if one), None)
    said = f": {reply_words(reply)}" if reply else ""
    names = ", ".join(f"{one.name} ({one.endpoint or one.provider})" for one in refusing)
    whom = "every upstream" if by_all else "an upstream"
    field = f"UpstreamProvider {facts.owner.namespace}/{refusing[0].provider} spec.senders"
    return Cause(
        Reason.SENDER_REFUSED,
        f"{whom} refuses mail from {domain}, {names}{said}",
        (reply.remedy if reply else "") or sender_remedy(domain),
        field,
        Mender.OTHER if by_all else Mender.NOBODY,
        blocks=by_all,
    )


def _stale(facts: RelayFacts) -> Iterator[Cause]:
    """Mail waits in a replica, and none has left it for too long; a process gets as long after its start, unless what
    was before it was stuck already. All of these times are of the replica's clock, which need not be ours.
    """
    stuck = still_stuck(facts)
    for pod, report in facts.reports:
        queue = report.queue
        waiting = queue.queued + queue.deferred + max(0, queue.held - queue.on_hold)
        since = max(queue.oldest, report.last_delivery, 0 if stuck else report.started)
        if waiting and report.time - since > facts.view.relay.spec.delivery.stale_after:
            yield _waits(facts, pod, report, waiting)


def _waits(facts: RelayFacts, pod: str, report: RelayReport, waiting: int) -> Cause:
    said, reason = last_said(facts, report), Reason.NOT_DELIVERING
    since = known_time(report.queue.oldest)
    oldest = f"since {moment(since):%Y-%m-%dT%H:%M:%SZ} at most" if since else ""
    words = f"{messages_are(waiting)} waiting in {pod} {oldest}".rstrip() + ", and none leaves"
    if said is None:
        return Cause(reason, words, reason.remedy)
    return Cause(reason, f"{words}; {said.words}", said.remedy, said.provider)
