"""One upstream as one replica sees it: is it out, and why; has it been proved; which From domains does it refuse.

Made from a report, used by the checks of a relay. The newest fact wins: a failed stage of a probe counts until a
message has been delivered after it. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mailhaul_contract.report import BreakerState, CredentialState, ProbeStage, ReplyReport, UpstreamReport
from mailhaul_contract.upstream import Upstream, UpstreamKind
from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.assess.causes import Cause, of_message
from mailhaul_operator.assess.quota_words import spent_words
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.words import remedy_of, reply_words

REASONS: Final = {
    "connection": Reason.CONNECTION_FAILED,
    "tls": Reason.TLS_FAILED,
    "auth": Reason.CREDENTIAL_REFUSED,
    "token": Reason.TOKEN_UNAVAILABLE,
    "quota": Reason.QUOTA_EXHAUSTED,
    "throttle": Reason.THROTTLED,
    "sender": Reason.SENDER_REFUSED,
}
"""By the name of the fault in a report."""
FIELDS: Final = {
    Reason.CONNECTION_FAILED: "spec.host",
    Reason.TLS_FAILED: "spec.tls",
    Reason.CREDENTIAL_REFUSED: "spec.auth",
    Reason.TOKEN_UNAVAILABLE: "spec.auth.oauth",
    Reason.NEW_CREDENTIAL_REFUSED: "spec.auth",
    Reason.THROTTLED: "spec.rateLimit",
    Reason.SENDER_REFUSED: "spec.senders",
}
"""Where in an UpstreamProvider the cause may lie."""
STAGE_FAULTS: Final = {
    ProbeStage.CONNECT: "connection",
    ProbeStage.TLS: "tls",
    ProbeStage.EHLO: "connection",
    ProbeStage.AUTH: "auth",
    ProbeStage.SENDER: "sender",
}
"""What a failed stage means when its reply does not say."""


@dataclass(frozen=True, slots=True)
class Way:
    """An upstream of one replica. `fault` is why nothing leaves by it now; `worry` is what does not stop mail."""

    pod: str
    report: UpstreamReport
    fault: Cause | None
    worry: Cause | None
    proved: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the upstreams of one relay; `settings` are those of the plan, `proved` the handles known to answer,
    `refuted` what is known of those that do not: another relay found it, so this one's own experience goes before.
    """

    namespace: str
    settings: tuple[Upstream, ...]
    proved: frozenset[str]
    refuted: Mapping[str, Condition] = field(default_factory=dict)

    def way(self, pod: str, report: UpstreamReport) -> Way:
        """Judge one upstream of one replica."""
        fault = self._fault(report)
        return Way(pod, report, fault, self._worry(report), fault is None and self._proved(report))

    def cause(self, report: UpstreamReport, fault: str, reply: ReplyReport | None, *, blocks: bool = True) -> Cause:
        """Say of an upstream that it is out: fault, provider's words, endpoint, field and remedy."""
        reason = REASONS.get(fault, Reason.UPSTREAM_FAILING)
        said = f": {reply_words(reply)}" if reply else ""
        spent = f"; {used}" if fault == "quota" and (used := spent_words(report)) else ""
        words = f"upstream {report.name} ({report.endpoint or report.provider}) is out, {fault or 'fault'}{said}{spent}"
        return Cause(reason, words, remedy_of(fault, reply), self._field(report, reason), blocks=blocks)

    def _field(self, report: UpstreamReport, reason: Reason) -> str:
        return f"UpstreamProvider {self.namespace}/{report.provider} {FIELDS.get(reason, '')}".rstrip()

    def _fault(self, report: UpstreamReport) -> Cause | None:
        if report.breaker is not BreakerState.CLOSED:
            return self.cause(report, report.breaker_fault, self._words(report))
        if report.credential is CredentialState.REFUSED:
            return self.cause(report, "auth", report.credential_reply)
        stage = failed_stage(report)
        if stage:
            return self.cause(report, *stage)
        found = self.refuted.get(report.name)
        return self._of_provider(report, found) if found and not _has_tried(report) else None

    def _of_provider(self, report: UpstreamReport, found: Condition) -> Cause:
        """Tell the provider's own finding, whose message holds the provider's words and the remedy."""
        told = of_message(found.reason, found.message)
        return replace(told, fact=f"upstream {report.name} is out: {told.fact}", field=self._field(report, told.reason))

    @staticmethod
    def _words(report: UpstreamReport) -> ReplyReport | None:
        """The reply that opened the breaker, where it is still known."""
        stage = failed_stage(report)
        if said := breaker_reply(report):
            return said
        if report.breaker_fault == "auth" and report.credential_reply:
            return report.credential_reply
        return stage[1] if stage and stage[0] == report.breaker_fault else None

    def _worry(self, report: UpstreamReport) -> Cause | None:
        if report.credential is not CredentialState.PREVIOUS:
            return None
        reply, reason = report.credential_reply, Reason.NEW_CREDENTIAL_REFUSED
        said = f": {reply_words(reply)}" if reply else ""
        words = f"upstream {report.name} ({report.endpoint or report.provider}) refuses the new credential{said}"
        words += "; mail leaves with the one before"
        field = self._field(report, reason)
        return Cause(reason, words, (reply.remedy if reply else "") or reason.remedy, field, blocks=False)

    def _proved(self, report: UpstreamReport) -> bool:
        settings = next((one for one in self.settings if one.name == report.name), None)
        if report.name in self.proved or (settings and settings.kind is UpstreamKind.CAPTURE):
            return True
        return _has_tried(report)


def _has_tried(report: UpstreamReport) -> bool:
    """Whether this replica itself knows what comes of the settings in use."""
    if report.last_accepted or (report.probe and report.probe.stages):
        return True
    # The last delivery may have been with other settings: it proves nothing.
    return report.credential is not CredentialState.UNPROVED


def breaker_reply(report: UpstreamReport) -> ReplyReport | None:
    """Give what opened the breaker: the last reply while it tells of that fault, else the words that are kept."""
    last, fault = report.last_reply, report.breaker_fault
    if last and is_fault(last) and fault in {"", last.fault}:
        return last
    return (
        ReplyReport(time=report.breaker_since, text=report.breaker_text, fault=fault) if report.breaker_text else None
    )


def out_words(report: UpstreamReport) -> str:
    """Say why an upstream is out, to be added to its fault: the provider's words, the quotas that are used up."""
    reply = breaker_reply(report)
    spent = spent_words(report) if report.breaker_fault == "quota" else ""
    return (f": {reply_words(reply)}" if reply else "") + (f"; {spent}" if spent else "")


def sender_reply(report: UpstreamReport, domain: str) -> ReplyReport | None:
    """Give what refused a From domain; an older relay tells only its last reply."""
    last = report.last_reply
    return report.refused_sender_replies.get(domain) or (last if last and last.fault == "sender" else None)


def is_fault(reply: ReplyReport) -> bool:
    """Whether a last reply tells of something wrong; a delivery leaves its reply too."""
    return reply.fault not in {"", "none"}


def failed_stage(report: UpstreamReport) -> tuple[str, ReplyReport | None] | None:
    """Give fault and reply of the stage at which the last probe failed; None when mail was delivered after it."""
    if report.probe is None or report.last_delivery > report.probe.time:
        return None
    failed = next((one for one in report.probe.stages if not one.passed), None)
    if failed is None:
        return None
    said = failed.reply.fault if failed.reply and failed.reply.fault in REASONS else STAGE_FAULTS[failed.stage]
    return said, failed.reply
