"""The numbers of a relay's status, summed over its replicas.

While a staying replica does not answer, one that was deleted does not end, or a leaving one that may hold mail has no
pod, the previous numbers stand: a sum without it would say that its mail has gone. Pure.
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
from mailhaul_operator.assess.bounds import code, count, handle, known_time
from mailhaul_operator.assess.facts import RelayFacts
from mailhaul_operator.assess.view import PodView
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
    held = facts.view.away or any(one.ordinal is not None and _is_silent_at_its_end(one) for one in facts.view.pods)
    return bool(facts.reports) and len(facts.reports) == len(facts.staying) and not held


def _is_silent_at_its_end(pod: PodView) -> bool:
    return pod.terminating and not isinstance(pod.report, RelayReport)


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
    oldest = min((known for one in queues if (known := known_time(one.oldest))), default=0.0)
    return SmtpRelayStatus(
        queue=QueueStatus(
            queued=_sum(one.queued for one in queues),
            deferred=_sum(one.deferred for one in queues),
            held=_sum(one.held for one in queues),
            dead=_sum(one.dead for one in queues),
            waiting=_sum(one.queued + one.deferred + one.held for one in queues),
            oldest_time=moment(oldest) if oldest else None,
        ),
        delivered=_total((one.delivered, one.delivered_last_day) for one in reports),
        failed=_total((one.failed, one.failed_last_day) for one in reports),
    )


def _sum(numbers: Iterable[int]) -> int:
    return count(sum(count(one) for one in numbers))


def _total(pairs: Iterable[tuple[int, int]]) -> TotalStatus:
    totals, days = zip(*pairs, strict=True)
    return TotalStatus(total=_sum(totals), last_day=_sum(days))


def _last_delivery(reports: list[RelayReport], known: LastDelivery | None) -> LastDelivery | None:
    last = max(reports, key=lambda one: known_time(one.last_delivery), default=None)
    time = known_time(last.last_delivery) if last else 0.0
    upstream = handle(last.last_delivery_upstream) if last else ""
    if not time or not upstream or (known and epoch(known.time) >= int(time)):
        return known
    return LastDelivery(time=moment(time), upstream=upstream)


def _last_error(reports: list[RelayReport], known: LastError | None) -> LastError | None:
    told = [(one.last_error, handle(one.last_error_upstream)) for one in reports if one.last_error]
    named = [(error, upstream) for error, upstream in told if upstream and known_time(error.time)]
    if not named:
        return known
    error, upstream = max(named, key=lambda one: one[0].time)
    if known and epoch(known.time) >= int(error.time):
        return known
    return LastError(
        time=moment(error.time),
        upstream=upstream,
        code=code(error.code),
        text=tidy(" ".join(part for part in (error.enhanced, error.text) if part) or error.fault),
        remedy=tidy(remedy_of(error.fault, error)),
    )
