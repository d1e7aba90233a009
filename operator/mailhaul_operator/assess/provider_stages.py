"""The conditions of a provider's stages: CredentialsReady, Reachable, TLSVerified, Authenticated, SenderAccepted.

Each is the newest sighting of its stage; a stage behind one that failed is not known. Used by `provider`. Pure.
"""

from dataclasses import replace

from mailhaul_contract.report import CredentialState, ProbeReport, ProbeStage
from mailhaul_contract.upstream import AuthMechanism, TlsMode, TlsVerify
from mailhaul_operator.api.moments import epoch
from mailhaul_operator.api.profiles import profile
from mailhaul_operator.api.upstreamprovider import ProviderType
from mailhaul_operator.assess.causes import Cause, Mender, of_finding, of_obstacle
from mailhaul_operator.assess.drafts import FALSE, READY, TRUE, UNKNOWN, Draft, draft
from mailhaul_operator.assess.evidence import TOKEN, Sighting
from mailhaul_operator.assess.facts import Aspect
from mailhaul_operator.assess.provider_facts import CONDITIONS, ProviderFacts
from mailhaul_operator.assess.reasons import Reason, reason_of
from mailhaul_operator.assess.ways import sender_reply
from mailhaul_operator.plan.findings import Finding, Severity

CREDENTIALS_READY = "CredentialsReady"
_PASSED = {
    ProbeStage.CONNECT: Reason.CONNECTED,
    ProbeStage.TLS: Reason.CERTIFICATE_VALID,
    ProbeStage.AUTH: Reason.LOGGED_IN,
    ProbeStage.SENDER: Reason.MESSAGE_ACCEPTED,
}
_FAILED = {
    ProbeStage.CONNECT: (Reason.CONNECTION_FAILED, "connection"),
    ProbeStage.TLS: (Reason.TLS_FAILED, "tls"),
    ProbeStage.AUTH: (Reason.CREDENTIAL_REFUSED, "auth"),
    ProbeStage.SENDER: (Reason.SENDER_REFUSED, "sender"),
}

OF_MESSAGES = "; refused: "
"""Before the From domains of messages that were refused."""


def credentials_ready(facts: ProviderFacts) -> Aspect:
    """Is the credential there, complete and, after a change, the one in use?"""
    cause = _credential_missing(facts) or _new_one_refused(facts)
    if cause:
        return Aspect(draft(CREDENTIALS_READY, FALSE, cause), (cause,))
    if not _has_credential(facts):
        return Aspect(_plain(CREDENTIALS_READY, Reason.NO_CREDENTIAL_NEEDED))
    if not facts.used:
        return Aspect(Draft(CREDENTIALS_READY, UNKNOWN, Reason.NOT_IN_USE, Reason.NOT_IN_USE.meaning))
    return Aspect(_plain(CREDENTIALS_READY, Reason.CREDENTIAL_FOUND))


def _credential_missing(facts: ProviderFacts) -> Cause | None:
    """It blocks unless the relays go on with the last good one."""
    found = [one for one in _errors(facts) if not one.field.startswith(("spec.tls", "spec.quotas"))]
    if facts.view.external:
        cause = replace(of_obstacle(facts.view.external), field="spec.auth.externalSecret")
    elif found:
        cause = of_finding(found[0], facts.owner)
    else:
        return None
    goes_on = any(one.reports for one in facts.used)
    fact = f"{cause.fact}; the last good credential stays in use" if goes_on else cause.fact
    mender = Mender.NOBODY if goes_on or not facts.used else Mender.OTHER
    return Cause(cause.reason, fact, cause.remedy, cause.field, mender, blocks=mender is Mender.OTHER)


def _new_one_refused(facts: ProviderFacts) -> Cause | None:
    report = next((one for one in facts.reports if one.credential is CredentialState.PREVIOUS), None)
    if report is None:
        return None
    cause = facts.cause(Reason.NEW_CREDENTIAL_REFUSED, "auth", report.credential_reply, blocks=False)
    fact = f"{cause.fact}; mail leaves with the one before"
    return Cause(cause.reason, fact, cause.remedy, cause.field, Mender.NOBODY, blocks=False)


def reachable(facts: ProviderFacts) -> Aspect:
    """Does it answer?"""
    return _stage(facts, ProbeStage.CONNECT, after=False)


def tls_verified(facts: ProviderFacts, *, after: bool) -> Aspect:
    """Is its certificate valid? `after` tells that an earlier stage failed."""
    missing = next((one for one in _errors(facts) if one.field.startswith("spec.tls")), None)
    if missing:
        cause = of_finding(missing, facts.owner)
        return Aspect(draft(CONDITIONS[ProbeStage.TLS], FALSE, cause), (cause,))
    if _unverified(facts):
        return Aspect(Draft(CONDITIONS[ProbeStage.TLS], FALSE, Reason.TLS_OFF, Reason.TLS_OFF.meaning))
    return _stage(facts, ProbeStage.TLS, after=after)


def authenticated(facts: ProviderFacts, *, after: bool) -> Aspect:
    """Does it take the credential in use?"""
    if not _has_credential(facts):
        return Aspect(_plain(CONDITIONS[ProbeStage.AUTH], Reason.NO_CREDENTIAL_NEEDED))
    return _stage(facts, ProbeStage.AUTH, after=after)


def sender_accepted(facts: ProviderFacts, *, after: bool) -> Aspect:
    """Does it take our From? A From domain that is refused now counts, whatever was delivered with another."""
    type_ = CONDITIONS[ProbeStage.SENDER]
    refused = sorted({domain for one in facts.reports for domain in one.refused_senders})
    seen = facts.newest(ProbeStage.SENDER)
    if refused and not after:
        told = (
            sender_reply(one, domain) for domain in refused for one in facts.reports if domain in one.refused_senders
        )
        reply = next((one for one in told if one), None)
        blocks = not seen.passed if seen else not _stopped_nothing(facts)
        cause = facts.cause(Reason.SENDER_REFUSED, "sender", reply, blocks=blocks)
        mender = Mender.OTHER if blocks else Mender.NOBODY
        fact = f"{cause.fact}{OF_MESSAGES}{', '.join(refused[:10])}"
        cause = Cause(cause.reason, fact, cause.remedy, cause.field, mender, blocks=blocks)
        return Aspect(draft(type_, FALSE, cause), (cause,))
    known = (seen or facts.before(ProbeStage.SENDER)) and not _is_mended(facts, seen)
    if known or after:
        return _stage(facts, ProbeStage.SENDER, after=after)
    return Aspect(Draft(type_, UNKNOWN, Reason.SENDER_NOT_PROVED, Reason.SENDER_NOT_PROVED.meaning))


def _stopped_nothing(facts: ProviderFacts) -> bool:
    """Whether the status tells a refused From beside mail that leaves: a restarted pod, which has seen neither yet, is
    no reason to doubt it.
    """
    before, ready = facts.before(ProbeStage.SENDER), facts.stamp.before.get(READY)
    return before is not None and before.status is FALSE and ready is not None and ready.status is TRUE


def _is_mended(facts: ProviderFacts, seen: Sighting | None) -> bool:
    """Whether a probe's From was taken after one was refused: then it is not known again. What refused messages tells
    more than a probe, for providers refuse them after the final dot: only a message mends that.
    """
    passed = max((one.probe.time for one in facts.reports if one.probe and _takes_sender(one.probe)), default=0.0)
    if seen:
        return not seen.passed and seen.time < passed
    before = facts.before(ProbeStage.SENDER)
    if before is None or before.status is TRUE or OF_MESSAGES in before.message:
        return False
    return passed > epoch(before.last_transition_time)


def _takes_sender(probe: ProbeReport) -> bool:
    return any(one.stage is ProbeStage.SENDER and one.passed for one in probe.stages)


def _stage(facts: ProviderFacts, stage: ProbeStage, *, after: bool) -> Aspect:
    type_ = CONDITIONS[stage]
    if after:
        return Aspect(Draft(type_, UNKNOWN, Reason.NOT_REACHED, Reason.NOT_REACHED.meaning))
    seen, before = facts.newest(stage), facts.before(stage)
    if seen:
        return _seen(facts, type_, seen)
    if before is None:
        return Aspect(Draft(type_, UNKNOWN, Reason.PROBING, Reason.PROBING.meaning))
    reason = reason_of(before.reason)
    causes = () if before.status is TRUE else (_remembered(facts, stage, before.message),)
    return Aspect(Draft(type_, before.status, reason, before.message), causes)


def _remembered(facts: ProviderFacts, stage: ProbeStage, message: str) -> Cause:
    """A fault of before, as it was told: its message has everything."""
    goes_on = stage is ProbeStage.SENDER and _stopped_nothing(facts)
    mender = Mender.NOBODY if goes_on else Mender.OTHER
    return Cause(_FAILED[stage][0], message, mender=mender, blocks=not goes_on)


def _seen(facts: ProviderFacts, type_: str, seen: Sighting) -> Aspect:
    if seen.passed:
        return Aspect(_plain(type_, _PASSED[seen.stage]))
    reason, fault = (Reason.TOKEN_UNAVAILABLE, TOKEN) if seen.for_token else _FAILED[seen.stage]
    cause = facts.cause(reason, fault, seen.reply)
    return Aspect(draft(type_, FALSE, cause), (cause,))


def _errors(facts: ProviderFacts) -> list[Finding]:
    return [one for one in facts.view.findings if one.object == facts.owner and one.severity is Severity.ERROR]


def _plain(type_: str, reason: Reason) -> Draft:
    return Draft(type_, TRUE, reason, reason.meaning)


def _has_credential(facts: ProviderFacts) -> bool:
    auth = facts.view.provider.spec.auth
    return auth.has_credential and auth.mechanism is not AuthMechanism.NONE


def _unverified(facts: ProviderFacts) -> bool:
    spec = facts.view.provider.spec
    known = profile(spec.type)
    port = next((one.tls for one in known.alternates if one.port == spec.port), known.tls)
    return (spec.tls.mode or port) is TlsMode.NONE or spec.tls.verify is TlsVerify.NONE


def is_capture(facts: ProviderFacts) -> bool:
    """Whether it is the built-in inbox, which needs no proof."""
    return facts.view.provider.spec.type is ProviderType.CAPTURE
