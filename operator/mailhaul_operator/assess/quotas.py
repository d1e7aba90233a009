"""What is used of a provider's quotas, over all relays and replicas, and what of it is good to know beforehand.

Used by `provider`. Pure.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mailhaul_contract.quotas import QuotaCounts, QuotaWindow
from mailhaul_operator.api.moments import epoch, moment
from mailhaul_operator.api.provider_quotas import ProviderQuota, QuotaStatus
from mailhaul_operator.assess.bounds import count, known_time
from mailhaul_operator.assess.causes import Cause, Mender, of_finding
from mailhaul_operator.assess.drafts import FALSE, TRUE, UNKNOWN, Draft, draft
from mailhaul_operator.assess.facts import Aspect
from mailhaul_operator.assess.provider_facts import ProviderFacts
from mailhaul_operator.assess.quota_words import of_status, utc, words
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.plan.findings import Reason as Found
from mailhaul_operator.plan.reserves import unspent

SUFFICIENT: Final = "QuotaSufficient"
SOON: Final = 14 * 86_400
"""Seconds before its end from which on a trial's end is told."""


def quota_statuses(facts: ProviderFacts) -> tuple[QuotaStatus, ...]:
    """Give the quotas of the status, in the order of the spec."""
    before = {one.period: one for one in facts.status.quotas}
    return tuple(_status(one, facts, before.get(one.period)) for one in facts.view.provider.spec.quotas)


def quota_sufficient(facts: ProviderFacts, quotas: Sequence[QuotaStatus], out: Sequence[Cause]) -> Aspect:
    """Do the quotas last? `out` are the causes for which the provider is passed over. Nothing is said of a provider
    without quotas.
    """
    if not quotas:
        return Aspect()
    if not facts.used:
        return Aspect(Draft(SUFFICIENT, UNKNOWN, Reason.NOT_IN_USE, Reason.NOT_IN_USE.meaning))
    small = _too_small(facts)
    if small:
        return Aspect(draft(SUFFICIENT, FALSE, small), (small,))
    spent = next((one for one in out if one.reason is Reason.QUOTA_EXHAUSTED), None)
    worries = tuple(_worries(facts, quotas))
    if spent or worries:
        return Aspect(draft(SUFFICIENT, FALSE, spent or worries[0]), worries)
    if not facts.reports and not facts.status.quotas:
        return Aspect(Draft(SUFFICIENT, UNKNOWN, Reason.AWAITING_REPORT, Reason.AWAITING_REPORT.meaning))
    unused = _unused_reserve(facts)
    if unused:
        return Aspect(draft(SUFFICIENT, TRUE, unused), (unused,))
    return Aspect(Draft(SUFFICIENT, TRUE, Reason.QUOTA_SUFFICIENT, Reason.QUOTA_SUFFICIENT.meaning))


def _unused_reserve(facts: ProviderFacts) -> Cause | None:
    """A part of a quota that no relay may use: good to know, and mail leaves."""
    if any(one.spends_reserve for one in facts.used):
        return None
    found = unspent(facts.view.provider)
    return next((of_finding(one, facts.owner, mender=Mender.NOBODY, blocks=False) for one in found), None)


def _too_small(facts: ProviderFacts) -> Cause | None:
    """A limit of which a relay's replicas have no part."""
    found = (one for one in facts.view.findings if one.reason is Found.QUOTA_TOO_SMALL and one.object == facts.owner)
    return next((of_finding(one, facts.owner, mender=Mender.SPEC) for one in found), None)


def _worries(facts: ProviderFacts, quotas: Sequence[QuotaStatus]) -> Iterator[Cause]:
    """What is good to know before it stops mail: a quota that will not last, a trial that ends."""
    fields = {one.period: f"spec.quotas[{index}]" for index, one in enumerate(facts.view.provider.spec.quotas)}
    for one in quotas:
        if one.full_time and one.used < one.limit:
            yield _worry(Reason.QUOTA_LOW, words(of_status(one), utc), fields[one.period])
    for one in quotas:
        end = epoch(one.valid_until) if one.valid_until else 0
        if end and facts.view.now >= end:
            yield _worry(Reason.TRIAL_ENDED, f"the trial ended at {utc(end)}", f"{fields[one.period]}.validUntil")
        elif end and facts.view.now > end - SOON:
            yield _worry(Reason.TRIAL_ENDING, f"the trial ends at {utc(end)}", f"{fields[one.period]}.validUntil")


def _worry(reason: Reason, fact: str, field: str) -> Cause:
    return Cause(reason, fact, reason.remedy, field, Mender.NOBODY, blocks=False)


def _status(quota: ProviderQuota, facts: ProviderFacts, before: QuotaStatus | None) -> QuotaStatus:
    told = [one for report in facts.reports for one in report.quotas if one.period == quota.period]
    if not told:
        return before or QuotaStatus(period=quota.period, limit=quota.limit, counts=quota.counts)
    reset, full, trial = (_first(one) for one in zip(*((of.reset, of.full, of.trial_end) for of in told), strict=True))
    used = min(count(sum(count(one.used) for one in told)), quota.limit)
    if any(one.told for one in told):
        used = quota.limit
    if before and reset and _same_period(quota, before, reset) and before.used < quota.limit:
        # A replica that is silent now, or has left, has used what it has used. (At the limit it may have been the
        # provider that said so, and it may take mail again.)
        used = max(used, before.used)
    return QuotaStatus(
        period=quota.period,
        used=used,
        limit=quota.limit,
        counts=QuotaCounts(quota.counts),
        reset_time=moment(reset) if reset else None,
        full_time=moment(full) if full else None,
        valid_until=moment(trial) if trial else None,
    )


def _first(times: tuple[float, ...]) -> float:
    """The earliest of several times that are known, 0 when none is."""
    return min((known for one in times if (known := known_time(one))), default=0.0)


def _same_period(quota: ProviderQuota, before: QuotaStatus, reset: float) -> bool:
    calendar = quota.window is QuotaWindow.CALENDAR
    return calendar and before.counts is quota.counts and before.reset_time == moment(reset)
