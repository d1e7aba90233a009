"""How a quota stands, in words: a condition, `mailhaul status` with and without a cluster say the same.

Used by `quotas`, `ways`, `local` and `cluster`. Pure; nothing fails.
"""

from collections.abc import Callable
from typing import NamedTuple

from mailhaul_contract.report import QuotaReport, UpstreamReport
from mailhaul_operator.api.moments import epoch, moment
from mailhaul_operator.api.provider_quotas import QuotaStatus
from mailhaul_operator.assess.bounds import count, known_time

Clock = Callable[[float], str]
"""Writes a time in epoch seconds for people."""


class Figures(NamedTuple):
    """A quota's numbers; times in epoch seconds, 0 for none."""

    period: str
    counts: str
    used: int
    limit: int
    reset: float
    full: float
    trial_end: float


def of_report(quota: QuotaReport) -> Figures:
    """Give the numbers of one replica."""
    times = (known_time(one) for one in (quota.reset, quota.full, quota.trial_end))
    return Figures(quota.period, quota.counts, count(quota.used), count(quota.limit), *times)


def of_status(quota: QuotaStatus) -> Figures:
    """Give the numbers of a status."""
    times = (epoch(one) if one else 0.0 for one in (quota.reset_time, quota.full_time, quota.valid_until))
    return Figures(quota.period.value, quota.counts.value, quota.used, quota.limit, *times)


def words(quota: Figures, clock: Clock) -> str:
    """Say how a quota stands."""
    parts = [f"quota {quota.period}: {quota.used} of {quota.limit} {quota.counts.lower()} used"]
    if quota.reset:
        parts.append(f"resets {clock(quota.reset)}")
    if quota.full:
        parts.append(f"full at {clock(quota.full)} at this rate")
    if quota.trial_end:
        parts.append(f"trial until {clock(quota.trial_end)}")
    return ", ".join(parts)


def spent_words(report: UpstreamReport) -> str:
    """Say which quotas of an upstream are used up; "" when none is."""
    spent = [one for one in report.quotas if one.used >= one.limit or one.told]
    return "; ".join(words(of_report(one), utc) for one in spent)


def utc(seconds: float) -> str:
    """Write a time in UTC."""
    return f"{moment(seconds):%Y-%m-%d %H:%M:%S} UTC"
