"""`assess_provider`: does this provider take our mail, seen from every relay that sends through it?

The stages in order, then Ready: False with the first cause, True once a login or a delivery is proved, Unknown until
then. A provider that no relay uses is Ready, for nobody tries it. Called by `reconcile` over what the relays' passes
remembered. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mailhaul_contract.report import BreakerState, ProbeStage, UpstreamReport
from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.api.moments import epoch, moment
from mailhaul_operator.api.provider_status import LastProbe, LastReply, ProviderRelayStatus, UpstreamProviderStatus
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.bounds import code, known_time
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.drafts import FALSE, READY, TRUE, UNKNOWN, Draft, draft, failing
from mailhaul_operator.assess.facts import Aspect
from mailhaul_operator.assess.progress import progress
from mailhaul_operator.assess.provider_facts import BREAKERS, CONDITIONS, ProviderFacts, proved_settings
from mailhaul_operator.assess.provider_stages import (
    OF_MESSAGES,
    authenticated,
    credentials_ready,
    is_capture,
    reachable,
    sender_accepted,
    tls_verified,
)
from mailhaul_operator.assess.quota_words import spent_words
from mailhaul_operator.assess.quotas import quota_statuses, quota_sufficient
from mailhaul_operator.assess.reasons import Reason, reason_of
from mailhaul_operator.assess.view import ProviderView
from mailhaul_operator.assess.ways import REASONS, breaker_reply
from mailhaul_operator.assess.words import tidy

MOST_RELAYS = 256
"""Relays that a status lists."""


def assess_provider(view: ProviderView) -> UpstreamProviderStatus:
    """Give the whole status; the previous one is in `view.provider.status`."""
    facts = ProviderFacts(view)
    aspects = _unproved(facts) if is_capture(facts) or not facts.used else _stages(facts)
    out, quotas = tuple(_breakers(facts)), quota_statuses(facts)
    lasting = quota_sufficient(facts, quotas, out)
    drafts = tuple(one.draft for one in (*aspects, lasting) if one.draft)
    causes = (*(cause for one in aspects for cause in one.causes), *out, *lasting.causes)
    if not is_capture(facts):
        causes = (*causes, *_awaited(facts, drafts, causes))
    ready = _ready(facts, drafts, causes)
    return UpstreamProviderStatus(
        observed_generation=max(0, view.provider.metadata.generation),
        endpoint=tidy(facts.endpoint or _configured(view.provider), 320),
        breaker=_worst(facts.reports) if facts.reports else facts.status.breaker if facts.known_since else None,
        quotas=quotas,
        last_probe=_last_probe(facts),
        last_reply=_last_reply(facts),
        relays=_relays(facts),
        conditions=facts.stamp.write((ready, *drafts, *progress(causes, ready, facts.stamp))),
    )


def proves(provider: UpstreamProvider, revision: str) -> bool:
    """Whether its status says that it answers with the present settings and this revision of the credentials."""
    ready = _last_ready(provider, revision)
    return ready is not None and (ready.status is TRUE or _refuses_mail_only(ready))


def refutes(provider: UpstreamProvider, revision: str) -> Condition | None:
    """Give its Ready when that says that it fails with the present settings and this revision of the credentials: the
    counterpart of `proves`. A fault of its Secret or of quota is no finding of a probe, and each relay tells its own.
    """
    ready = _last_ready(provider, revision)
    if ready is None or ready.status is not FALSE or _refuses_mail_only(ready):
        return None
    return ready if reason_of(ready.reason) in _OF_STAGES else None


def _last_ready(provider: UpstreamProvider, revision: str) -> Condition | None:
    if provider.status is None or not proved_settings(provider, frozenset({revision})):
        return None
    return next((one for one in provider.status.conditions if one.type == READY), None)


def _refuses_mail_only(ready: Condition) -> bool:
    """Whether it answers and refused messages of a From domain: no other relay need have that one."""
    return ready.status is FALSE and ready.reason == Reason.SENDER_REFUSED and OF_MESSAGES in ready.message


def _stages(facts: ProviderFacts) -> tuple[Aspect, ...]:
    first = reachable(facts)
    second = tls_verified(facts, after=_fails(first))
    third = authenticated(facts, after=_fails(first, second))
    fourth = sender_accepted(facts, after=_fails(first, second, third))
    return credentials_ready(facts), first, second, third, fourth


def _fails(*aspects: Aspect) -> bool:
    return any(cause.blocks for one in aspects for cause in one.causes)


def _unproved(facts: ProviderFacts) -> tuple[Aspect, ...]:
    """The built-in inbox needs no proof, and what no relay uses has none."""
    if is_capture(facts):
        told = [Aspect(Draft(one, TRUE, Reason.BUILT_IN, Reason.BUILT_IN.meaning)) for one in CONDITIONS.values()]
        return credentials_ready(facts), *told
    why = Reason.NOT_IN_USE
    return credentials_ready(facts), *(Aspect(Draft(one, UNKNOWN, why, why.meaning)) for one in CONDITIONS.values())


def _breakers(facts: ProviderFacts) -> Iterator[Cause]:
    """Quota, throttling and what else opened a breaker; connection, TLS and login have conditions of their own."""
    for report in facts.reports:
        reason = REASONS.get(report.breaker_fault, Reason.UPSTREAM_FAILING)
        if report.breaker is not BreakerState.CLOSED and reason not in _OF_STAGES:
            cause = facts.cause(reason, report.breaker_fault, breaker_reply(report))
            spent = spent_words(report) if reason is Reason.QUOTA_EXHAUSTED else ""
            yield replace(cause, fact=f"{cause.fact}; {spent}") if spent else cause
            return


_OF_STAGES = {
    Reason.CONNECTION_FAILED,
    Reason.TLS_FAILED,
    Reason.CREDENTIAL_REFUSED,
    Reason.TOKEN_UNAVAILABLE,
    Reason.SENDER_REFUSED,
}


def _awaited(facts: ProviderFacts, drafts: Sequence[Draft], causes: Sequence[Cause]) -> Iterator[Cause]:
    """What has to come before anything can be said."""
    if not facts.used or any(one.blocks for one in causes):
        return
    unsettled = [f"{one.namespace}/{one.relay}" for one in facts.used if not one.settled]
    if unsettled and not facts.known_since:
        words = f"relay {', '.join(unsettled[:5])} does not run the present settings yet"
        yield Cause(Reason.CONFIG_PENDING, words, mender=Mender.ROLLOUT, blocks=not _proved(drafts))
    elif not _proved(drafts):
        words = (
            "it is being tried whether it answers" if facts.reports else "no replica of a relay has told anything yet"
        )
        reason = Reason.PROBING if facts.reports else Reason.AWAITING_REPORT
        yield Cause(reason, words, mender=Mender.WORK)


def _proved(drafts: Sequence[Draft]) -> bool:
    by_type = {one.type: one.status for one in drafts}
    reached, login = by_type[CONDITIONS[ProbeStage.CONNECT]], by_type[CONDITIONS[ProbeStage.AUTH]]
    return reached is TRUE and login is TRUE


def _ready(facts: ProviderFacts, drafts: Sequence[Draft], causes: Sequence[Cause]) -> Draft:
    if not facts.used:
        return Draft(READY, TRUE, Reason.NOT_IN_USE, Reason.NOT_IN_USE.meaning)
    if is_capture(facts):
        return Draft(READY, TRUE, Reason.BUILT_IN, Reason.BUILT_IN.meaning)
    blocking = [one for one in causes if one.blocks]
    wrong = next((one for one in blocking if not one.mender.waits), None)
    if wrong:
        return draft(READY, FALSE, wrong)
    if blocking:
        return failing(READY, blocking[0])
    sends = any(one.type == CONDITIONS[ProbeStage.SENDER] and one.status is TRUE for one in drafts)
    worry = next((f"; also {one.reason}: {one.message}" for one in causes if not one.mender.waits), "")
    if sends or facts.delivered:
        return Draft(READY, TRUE, Reason.MAIL_LEAVES, tidy(f"{facts.endpoint} takes mail{worry}"))
    return Draft(READY, TRUE, Reason.UPSTREAM_ANSWERS, tidy(f"{facts.endpoint} answers, no mail was sent yet{worry}"))


def _worst(reports: Sequence[UpstreamReport]) -> BreakerState:
    return max((one.breaker for one in reports), key=BREAKERS.index, default=BreakerState.CLOSED)


def _relays(facts: ProviderFacts) -> tuple[ProviderRelayStatus, ...]:
    """Each relay once, with the worst breaker of all its replicas."""
    reports: dict[tuple[str, str], list[UpstreamReport]] = {}
    for one in facts.used:
        reports.setdefault((one.namespace, one.relay), []).extend(one.reports)
    return tuple(
        ProviderRelayStatus(namespace=namespace, name=name, breaker=_worst(seen))
        for (namespace, name), seen in list(reports.items())[:MOST_RELAYS]
    )


def _last_probe(facts: ProviderFacts) -> LastProbe | None:
    """The newest that a relay with the present settings reports, else the one that is known."""
    known = facts.status.last_probe
    told = [(report.probe, used) for used in facts.used if used.settled for report in used.reports if report.probe]
    made = [(probe.time, used) for probe, used in told if known_time(probe.time)]
    if not made:
        return known
    time, used = max(made, key=lambda one: one[0])
    if known and epoch(known.time) >= int(time) and facts.known_since:
        return known
    return LastProbe(
        time=moment(time),
        namespace=used.namespace,
        relay=used.relay,
        generation=max(0, facts.view.provider.metadata.generation),
        revision=used.revision[:64],
    )


def _last_reply(facts: ProviderFacts) -> LastReply | None:
    known = facts.status.last_reply
    said = [one.last_reply for one in facts.reports if one.last_reply]
    said += [one.credential_reply for one in facts.reports if one.credential_reply]
    said += [stage.reply for one in facts.reports if one.probe for stage in one.probe.stages if stage.reply]
    last = max((one for one in said if known_time(one.time)), key=lambda one: one.time, default=None)
    if last is None or (known and epoch(known.time) >= int(last.time)):
        return known
    return LastReply(
        time=moment(last.time),
        code=code(last.code),
        text=tidy(" ".join(part for part in (last.enhanced, last.text) if part)),
        stage=tidy(last.stage, 32),
        remedy=tidy(last.remedy),
    )


def _configured(provider: UpstreamProvider) -> str:
    spec = provider.spec
    return f"{spec.host}:{spec.port or 587}" if spec.host else ""
