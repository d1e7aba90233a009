"""What the replicas that were there before a growth have used, or may use, of the quotas that run, once all keep to it.

Used by `relay` for the next plan, which gives the new replicas what is left (`plan.late_parts`). Known only when every
replica runs the plan in which the old ones' parts were made smaller: nobody of them can use more afterwards. Pure.
"""

from collections.abc import Mapping, Sequence

from mailhaul_contract.quotas import QuotaWindow
from mailhaul_contract.report import QuotaReport, RelayReport
from mailhaul_contract.upstream import Upstream
from mailhaul_operator.reconcile.memory import RelayPass

Settled = Mapping[str, tuple[float, int]]
"""By period: its end (epoch seconds), and the units."""


def settled_quotas(last: RelayPass) -> Mapping[str, Settled]:
    """Give it by provider; nothing while a replica does not run the last plan."""
    config = last.plan.config
    if config is None or not last.applied:
        return {}
    changed = [one for one in config.upstreams if one.quotas and one.share.changed]
    return {one.provider: found for one in changed if (found := _settled(one, last))}


def _settled(upstream: Upstream, last: RelayPass) -> Settled:
    old = [
        pod.report
        for pod in last.pods
        if not pod.terminating and pod.ordinal is not None and pod.ordinal < upstream.share.least
    ]
    reports = [one for one in old if isinstance(one, RelayReport)]
    if len(reports) < upstream.share.least:
        return {}
    periods = [one.period.value for one in upstream.quotas if one.window is QuotaWindow.CALENDAR]
    found = {period: _sum(_told(upstream.name, period, reports), len(reports)) for period in periods}
    return {period: one for period, one in found.items() if one is not None}


def _told(upstream: str, period: str, reports: Sequence[RelayReport]) -> list[QuotaReport]:
    ways = (way for report in reports for way in report.upstreams if way.name == upstream)
    return [quota for way in ways for quota in way.quotas if quota.period == period]


def _sum(quotas: Sequence[QuotaReport], replicas: int) -> tuple[float, int] | None:
    """None while they tell of different periods, as around midnight."""
    ends = {one.reset for one in quotas}
    if not replicas or len(quotas) != replicas or len(ends) != 1:
        return None
    return ends.pop(), sum(max(one.used + one.under_way, one.limit) for one in quotas)
