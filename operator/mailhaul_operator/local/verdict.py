"""Does mail leave, and if not, why and what to do: a report turned into words.

Pure, for `mailhaul status` without a cluster and the table of `up`; words and remedies are those of the operator's
`assess`. An ordered chain of small checks: every check that fails adds a cause, the most basic first. Times are epoch
seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mailhaul_contract.report import BreakerState, RelayReport, UpstreamReport
from mailhaul_operator.assess.checks.failing import FOR_GOOD, OF_ONE_MESSAGE
from mailhaul_operator.assess.ways import breaker_reply, out_words, sender_reply
from mailhaul_operator.assess.words import counted, messages_are, remedy_of, reply_words, sender_remedy, span

STALE_AFTER: Final = 300.0
"""Seconds that mail may wait, with nothing delivered meanwhile, before it counts as not leaving."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong. `blocks` tells whether it keeps mail from leaving (or from being accepted)."""

    reason: str
    words: str
    remedy: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether mail leaves, and all causes, those that block first. `proved` tells that some mail did leave; without
    it nothing is known to stand in the way, and no more.
    """

    leaves: bool
    proved: bool
    causes: tuple[Cause, ...]

    @property
    def headline(self) -> str:
        """A few words for people; `causes` tell more."""
        if not self.leaves:
            return "mail does not leave"
        good = "mail leaves" if self.proved else "ready, no mail was sent yet"
        return f"{good}, but not all is well" if self.causes else good


def judge(report: RelayReport, now: float) -> Verdict:
    """Assess one relay's report at a time."""
    causes = [cause for check in _CHAIN for cause in check(report, now)]
    causes.sort(key=lambda cause: not cause.blocks)
    return Verdict(not any(cause.blocks for cause in causes), report.last_delivery > 0, tuple(causes))


def _accepts(report: RelayReport, now: float) -> list[Cause]:
    del now
    if report.accepting:
        return []
    why = report.not_accepting_reason or "no reason given"
    return [Cause("NotAccepting", f"the relay accepts no mail ({why})", "see the relay's log for the cause")]


def _has_a_way_out(report: RelayReport, now: float) -> list[Cause]:
    del now
    if report.upstreams:
        return []
    return [
        Cause(
            "NoUpstream",
            "the relay has no upstream that it may use",
            "run `mailhaul validate`; it names what is missing",
        )
    ]


def _some_upstream_permits(report: RelayReport, now: float) -> list[Cause]:
    """A half-open breaker lets one message through on trial: that mail leaves is not known before it has closed."""
    out = [one for one in report.upstreams if one.breaker is not BreakerState.CLOSED]
    if len(out) == len(report.upstreams):
        return [_upstream_out(one, now) for one in out]
    stranded = _stranded(report, {one.name for one in out})
    return [_of_route(_upstream_out(one, now), stranded.get(one.name, "")) for one in out]


def _stranded(report: RelayReport, out: set[str]) -> dict[str, str]:
    """The first route of which every upstream is out, by upstream."""
    found: dict[str, str] = {}
    for route in report.routes:
        if route.upstreams and out.issuperset(route.upstreams):
            for name in route.upstreams:
                found.setdefault(name, route.name)
    return found


def _of_route(cause: Cause, route: str) -> Cause:
    """An upstream is out while others are not: that stops mail only where a route has no other."""
    if not route:
        return replace(cause, blocks=False)
    return replace(cause, words=f"{cause.words}; route {route} has no other, and its mail waits")


def _routes_lead_somewhere(report: RelayReport, now: float) -> list[Cause]:
    del now
    return [
        Cause(
            "RouteWithoutUpstream",
            f"route {one.name} has no upstream that it may use, and its mail waits",
            "run `mailhaul validate`; it names what is missing",
        )
        for one in report.routes
        if report.upstreams and not one.upstreams
    ]


def _upstream_out(upstream: UpstreamReport, now: float) -> Cause:
    where = upstream.endpoint or upstream.provider
    said, remedy = out_words(upstream), remedy_of(upstream.breaker_fault, breaker_reply(upstream))
    when = _in(max(0.0, upstream.next_attempt - now))
    words = f"upstream {upstream.name} ({where}) is out, {upstream.breaker_fault or 'fault'}{said}"
    return Cause("UpstreamOut", words, f"{remedy}; next try {when}")


def _senders_are_welcome(report: RelayReport, now: float) -> list[Cause]:
    """A From that every upstream refuses stops that domain's mail, and nobody else's."""
    del now
    refused = [set(one.refused_senders) for one in report.upstreams]
    by_all = set.intersection(*refused) if refused else set()
    causes = []
    for domain in sorted(set().union(*refused)):
        whom = "every upstream refuses" if domain in by_all else "an upstream refuses"
        refusing = [one for one in report.upstreams if domain in one.refused_senders]
        reply = next((said for one in refusing if (said := sender_reply(one, domain))), None)
        causes.append(
            Cause(
                "SenderRefused",
                f"{whom} mail from {domain}" + (f": {reply_words(reply)}" if reply else ""),
                (reply.remedy.rstrip(".") if reply else "") or sender_remedy(domain),
                blocks=domain in by_all,
            )
        )
    return causes


def _queue_moves(report: RelayReport, now: float) -> list[Cause]:
    waiting = _waiting(report)
    since = max(report.queue.oldest, report.last_delivery, report.started)
    if not waiting or now - since <= STALE_AFTER:
        return []
    said = f"; last error: {reply_words(report.last_error)}" if report.last_error else ""
    remedy = _last_remedy(report) or "see `mailhaul queue list`"
    return [
        Cause("NotDelivering", f"{messages_are(waiting)} waiting, and none left for {span(now - since)}{said}", remedy)
    ]


def _mail_is_not_refused(report: RelayReport, now: float) -> list[Cause]:
    """All mail fails for good, for more than its own recipient or size."""
    del now
    error = report.last_error
    if error is None or not report.failed or report.last_delivery or error.fault in OF_ONE_MESSAGE:
        return []
    if error.fault not in FOR_GOOD and _waiting(report):
        return []
    words = f"{counted(report.failed, 'recipient')} failed for good, and no mail has left; last error: "
    remedy = remedy_of(error.fault, error)
    return [Cause("MailFails", f"{words}{reply_words(error)}", remedy)]


def _mail_is_held(report: RelayReport, now: float) -> list[Cause]:
    del now
    held = report.queue.held - report.queue.on_hold
    if held <= 0:
        return []
    remedy = _last_remedy(report) or "see `mailhaul queue list`"
    return [Cause("MailHeld", f"{messages_are(held)} held", remedy, blocks=False)]


def _nothing_is_dead(report: RelayReport, now: float) -> list[Cause]:
    del now
    causes = []
    if report.queue.dead:
        words = f"{messages_are(report.queue.dead)} kept as dead letters"
        causes.append(
            Cause("DeadLetters", words, "`mailhaul queue list --state dead`, then retry or drop", blocks=False)
        )
    if report.queue.quarantined:
        words = f"{report.queue.quarantined} unreadable records are set aside"
        causes.append(Cause("Quarantined", words, "keep the spool directory and report it as a bug", blocks=False))
    return causes


def _runs_what_was_given(report: RelayReport, now: float) -> list[Cause]:
    del now
    if report.refused_config:
        why = "; ".join(report.refused_config.reasons) or "no reason given"
        return [
            Cause("ConfigRefused", f"the relay refused its configuration: {why}", "correct the resource", blocks=False)
        ]
    if report.awaiting_secret_revision:
        return [
            Cause("AwaitingSecrets", "the relay waits for its secrets", "wait a moment, then see its log", blocks=False)
        ]
    return []


def _clients_are_known(report: RelayReport, now: float) -> list[Cause]:
    del now
    if not report.client_identity_lost:
        return []
    words = f"{report.client_identity_lost} connections came from a node or a mesh, not from their client"
    return [
        Cause("ClientIdentityLost", words, "keep the client's address (externalTrafficPolicy: Local)", blocks=False)
    ]


_CHAIN: Final[tuple[Callable[[RelayReport, float], list[Cause]], ...]] = (
    _accepts,
    _has_a_way_out,
    _some_upstream_permits,
    _routes_lead_somewhere,
    _queue_moves,
    _mail_is_not_refused,
    _senders_are_welcome,
    _runs_what_was_given,
    _mail_is_held,
    _nothing_is_dead,
    _clients_are_known,
)


def _waiting(report: RelayReport) -> int:
    queue = report.queue
    return queue.queued + queue.deferred + max(0, queue.held - queue.on_hold)


def _last_remedy(report: RelayReport) -> str:
    return report.last_error.remedy.rstrip(".") if report.last_error else ""


def _in(seconds: float) -> str:
    return "now" if seconds < 1 else f"in {span(seconds)}"
