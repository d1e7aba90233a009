"""`assess_alias`: does the relay take this alias's addresses and forward their mail, and who else claims them?

Called by `reconcile` over what the relay's pass remembered. A relay that is not ready is no fault of the alias, which
stays accepted. Pure.
"""

from collections.abc import Iterable

from mailhaul_operator.api.mailalias import AliasCount, MailAliasStatus
from mailhaul_operator.assess.bounds import count
from mailhaul_operator.assess.causes import Cause, Mender, of_finding
from mailhaul_operator.assess.drafts import FALSE, READY, TRUE, UNKNOWN, Draft, Stamp, draft, failing
from mailhaul_operator.assess.progress import progress
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.view import AliasView
from mailhaul_operator.plan.findings import Finding, ObjectRef, Severity
from mailhaul_operator.plan.findings import Reason as Found

ACCEPTED, CONFLICTED = "Accepted", "Conflicted"
MOST_RESOLVED = 256
"""Mailboxes that a status lists."""


def assess_alias(view: AliasView) -> MailAliasStatus:
    """Give the whole status; the previous one is in `view.alias.status`."""
    alias = view.alias
    known = alias.status or MailAliasStatus()
    stamp = Stamp(view.now, alias.metadata.generation, known.conditions)
    faults = tuple(_faults(view))
    # What the plan refuses is not on its way to anybody.
    under_way = faults or tuple(_under_way(view))
    ready = _ready(view, under_way, stamp)
    accepted, conflicted = _accepted(view, faults), _conflicted(view)
    silent = not view.applied and not view.forwarded and not view.failed
    return MailAliasStatus(
        observed_generation=max(0, alias.metadata.generation),
        resolved=tuple(sorted(dict.fromkeys(view.resolved)))[:MOST_RESOLVED] if view.planned else known.resolved,
        forwarded=known.forwarded if silent else AliasCount(total=count(view.forwarded)),
        failed=known.failed if silent else AliasCount(total=count(view.failed)),
        conditions=stamp.write((ready, accepted, conflicted, *progress(under_way, ready, stamp))),
    )


def _owner(view: AliasView) -> ObjectRef:
    return ObjectRef("MailAlias", *view.alias.metadata.key)


def _own(view: AliasView, severity: Severity) -> list[Finding]:
    return [one for one in view.findings if one.object == _owner(view) and one.severity is severity]


def _faults(view: AliasView) -> Iterable[Cause]:
    owner, relay = _owner(view), "/".join(view.alias.relay)
    found = _own(view, Severity.ERROR)
    for one in found:
        own = one.reason is Found.ALIAS_CYCLE and one.message.endswith(f" {owner.namespace}/{owner.name}")
        yield of_finding(one, owner, mender=Mender.SPEC if own and _alone(one) else Mender.OTHER)
    if not view.relay_known and not any(one.reason is Found.RELAY_UNKNOWN for one in found):
        why = Reason.RELAY_UNKNOWN
        yield Cause(why, f"there is no SmtpRelay {relay}", why.remedy, "spec.relayRef.name")


def _alone(finding: Finding) -> bool:
    """Whether the circle has no other member, which another edit could take out."""
    return "," not in finding.message.partition("in the circle are ")[2]


def _under_way(view: AliasView) -> Iterable[Cause]:
    if view.relay_known and not view.planned:
        yield Cause(Reason.CONFIG_PENDING, _not_planned(view), mender=Mender.ROLLOUT)
    elif view.relay_known and not view.applied:
        words = f"relay {'/'.join(view.alias.relay)} does not run this alias yet"
        yield Cause(Reason.CONFIG_PENDING, words, mender=Mender.ROLLOUT)


def _not_planned(view: AliasView) -> str:
    return f"relay {'/'.join(view.alias.relay)} has not looked at this version of the alias yet"


def _ready(view: AliasView, causes: tuple[Cause, ...], stamp: Stamp) -> Draft:
    wrong = next((one for one in causes if not one.mender.waits), None) or next(iter(causes), None)
    if wrong:
        return failing(READY, wrong)
    if view.relay_ready is False:
        why, relay = Reason.RELAY_NOT_READY, "/".join(view.alias.relay)
        return draft(READY, FALSE, Cause(why, f"mail of SmtpRelay {relay} does not leave", why.remedy))
    before = stamp.before.get(READY)
    if view.relay_ready is None and (before is None or before.status is not TRUE):
        # A relay that looks anew is no news for an alias that was ready.
        why, relay = Reason.RELAY_NOT_READY, "/".join(view.alias.relay)
        return Draft(READY, UNKNOWN, why, f"whether mail of SmtpRelay {relay} leaves is not known yet")
    warning = next((of_finding(one, _owner(view)) for one in _own(view, Severity.WARNING)), None)
    if warning:
        return draft(READY, TRUE, warning)
    return Draft(READY, TRUE, Reason.FORWARDING, Reason.FORWARDING.meaning)


def _accepted(view: AliasView, faults: tuple[Cause, ...]) -> Draft:
    if faults:
        return failing(ACCEPTED, faults[0])
    if not view.applied and not view.relay_known:
        return Draft(ACCEPTED, UNKNOWN, Reason.RELAY_UNKNOWN, Reason.RELAY_UNKNOWN.meaning)
    if not view.planned:
        return Draft(ACCEPTED, UNKNOWN, Reason.CONFIG_PENDING, _not_planned(view))
    return Draft(ACCEPTED, TRUE, Reason.ALIAS_ACCEPTED, Reason.ALIAS_ACCEPTED.meaning)


def _conflicted(view: AliasView) -> Draft:
    """On both: the one that lost names the one that won, and the other way round."""
    owner = _owner(view)
    if not view.planned and view.relay_known:
        return Draft(CONFLICTED, UNKNOWN, Reason.CONFIG_PENDING, _not_planned(view))
    lost = next((one for one in view.findings if one.reason is Found.ALIAS_CONFLICT and one.object == owner), None)
    if lost:
        return draft(CONFLICTED, TRUE, of_finding(lost, owner))
    losers = sorted({str(one.object) for one in view.findings if one.rival == owner and one.object != owner})
    if losers:
        why = Reason.CONFLICT_WON
        words = f"{', '.join(losers[:10])} claims an address of this alias, which is older and keeps it"
        return draft(CONFLICTED, TRUE, Cause(why, words, why.remedy, "spec.addresses", Mender.NOBODY, blocks=False))
    return Draft(CONFLICTED, FALSE, Reason.NO_CONFLICT, Reason.NO_CONFLICT.meaning)
