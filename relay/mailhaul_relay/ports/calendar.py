"""The calendar as a parameter: the hour, day or month that runs in a time zone.

`queue.ledger` asks it for the period of a quota. Periods begin at a local time, so that a day of daylight saving has 23
or 25 hours, and end where the next one begins; a local midnight that a zone skips is the moment at which it is skipped.
Zones are those of the system, else of the package tzdata. Failures: a zone that is not there counts as UTC; the
configuration that names it has been refused before (`mailhaul_contract.quotas`).
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from mailhaul_contract.quotas import UTC_ZONE, Quota, QuotaPeriod, QuotaWindow
from mailhaul_relay.policy.quota import LENGTHS, Window

STEP = 900
"""Seconds by which the offsets of zones differ."""


def window(quota: Quota, now: float) -> Window:
    """Give the period of a quota that runs at a time (epoch seconds)."""
    if quota.window is QuotaWindow.ROLLING:
        return Window(now - LENGTHS[quota.period], now)
    zone = _zone(quota.time_zone)
    if quota.period is QuotaPeriod.HOUR:
        return _hour(now, zone)
    today = datetime.fromtimestamp(now, zone).date()
    if quota.period is QuotaPeriod.DAY:
        return Window(_midnight(today, zone), _midnight(today + timedelta(days=1), zone))
    first = _month_start(today.year, today.month, quota.start_day)
    if today < first:
        first = _month_start(*_month(first, -1), quota.start_day)
    return Window(_midnight(first, zone), _midnight(_month_start(*_month(first, 1), quota.start_day), zone))


def trial_end(quota: Quota) -> float:
    """Give the end of a trial's last day in the quota's zone, in epoch seconds; 0 when it has no end."""
    if not quota.valid_until:
        return 0.0
    return _midnight(date.fromisoformat(quota.valid_until) + timedelta(days=1), _zone(quota.time_zone))


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name == UTC_ZONE:
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - most relays count in UTC

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return UTC


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def _hour(now: float, zone: tzinfo) -> Window:
    start = _hour_start(now, zone)
    end = start + STEP
    while _hour_start(end, zone) <= start:
        end += (
            STEP  # where daylight saving is half an hour (Lord Howe), an hour may last half of one, or one and a half
        )
    return Window(start, end)


def _hour_start(now: float, zone: tzinfo) -> float:
    return datetime.fromtimestamp(now, zone).replace(minute=0, second=0, microsecond=0).timestamp()


def _month_start(year: int, month: int, day: int) -> date:
    """The day on which a billing month begins; a shorter month begins it on its last day."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def _month(of: date, step: int) -> tuple[int, int]:
    months = of.year * 12 + of.month - 1 + step
    return months // 12, months % 12 + 1
