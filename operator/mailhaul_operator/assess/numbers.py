"""The numbers of a relay's status, summed over its replicas.

While a staying replica does not answer, the previous numbers stand: a sum without it would say that its mail has gone.
Pure.
"""

from collections.abc import Iterable

from mailhaul_contract.report import RelayReport
from mailhaul_operator.api.moments import epoch, moment
from mailhaul_operator.api.relay_status import (
    ConfigStatus,
    LastDelivery,
    LastError,
    QueueStatus,
    SmtpRelayStatus,
    TotalStatus,
)
from mailhaul_operator.assess.facts import RelayFacts
from mailhaul_operator.assess.words import remedy_of, tidy
from mailhaul_operator.plan.naming import RELAY


def numbers(facts: RelayFacts) -> SmtpRelayStatus:
    """Give a status with everything but its conditions."""
    view, reports = facts.view, _answers(facts)
    known = facts.status
    # A status is no partial: what nobody can tell now is what was told before.
    counted = _sums(reports) if _complete(facts) else known
    return SmtpRelayStatus(
        observed_generation=max(0, view.relay.metadata.generation),
        replicas=view.workload.replicas,
        ready_replicas=view.workload.ready,
        selector=f"{RELAY}={view.relay.metadata.name}",
        address=view.address,
        config=_config(facts),
        upstream=_upstream(facts),
        queue=counted.queue,
        delivered=counted.delivered,
        failed=counted.failed,
        last_delivery=_last_delivery(reports, known.last_delivery),
        last_error=_last_error(reports, known.last_error),
    )


def _answers(facts: RelayFacts) -> list[RelayReport]:
    """Leaving replicas count too: their mail is the relay's."""
    return [one.report for one in facts.view.pods if isinstance(one.report, RelayReport)]


def _complete(facts: RelayFacts) -> bool:
    if not facts.status.queue:
        return bool(facts.reports)
    return bool(facts.reports) and len(facts.reports) == len(facts.staying)


def _upstream(facts: RelayFacts) -> str:
    """The first of the usable ones in the order of the plan, or of any replica's where they differ."""
    if not facts.ways:
        return facts.status.upstream if facts.silent else ""
    usable = {way.report.name for ways in facts.ways for way in ways if way.fault is None}
    config = facts.view.plan.config
    planned = [one.name for one in config.upstreams] if config else sorted(usable)
    return next((name for name in planned if name in usable), "")


def _config(facts: RelayFacts) -> ConfigStatus | None:
    plan = facts.view.plan
    if plan.config is None:
        return facts.status.config
    applied = sum(report.digest == plan.digest for _, report in facts.reports)
    return ConfigStatus(digest=plan.digest, applied_replicas=applied)


def _sums(reports: list[RelayReport]) -> SmtpRelayStatus:
    queues = [one.queue for one in reports]
    oldest = min((one.oldest for one in queues if one.oldest), default=0.0)
    return SmtpRelayStatus(
        queue=QueueStatus(
            queued=sum(one.queued for one in queues),
            deferred=sum(one.deferred for one in queues),
            held=sum(one.held for one in queues),
            dead=sum(one.dead for one in queues),
            waiting=sum(one.queued + one.deferred + one.held for one in queues),
            oldest_time=moment(oldest) if oldest else None,
        ),
        delivered=_total((one.delivered, one.delivered_last_day) for one in reports),
        failed=_total((one.failed, one.failed_last_day) for one in reports),
    )


def _total(pairs: Iterable[tuple[int, int]]) -> TotalStatus:
    totals, days = zip(*pairs, strict=True)
    return TotalStatus(total=sum(totals), last_day=sum(days))


def _last_delivery(reports: list[RelayReport], known: LastDelivery | None) -> LastDelivery | None:
    last = max(reports, key=lambda one: one.last_delivery, default=None)
    if last is None or not last.last_delivery or not last.last_delivery_upstream:
        return known
    if known and epoch(known.time) >= int(last.last_delivery):
        return known
    return LastDelivery(time=moment(last.last_delivery), upstream=last.last_delivery_upstream)


def _last_error(reports: list[RelayReport], known: LastError | None) -> LastError | None:
    told = [one for one in reports if one.last_error and one.last_error_upstream]
    last = max(told, key=lambda one: one.last_error.time if one.last_error else 0, default=None)
    error = last.last_error if last else None
    if last is None or error is None or (known and epoch(known.time) >= int(error.time)):
        return known
    return LastError(
        time=moment(error.time),
        upstream=last.last_error_upstream,
        code=error.code if 0 <= error.code <= 599 else 0,
        text=tidy(" ".join(part for part in (error.enhanced, error.text) if part) or error.fault),
        remedy=tidy(remedy_of(error.fault, error)),
    )
