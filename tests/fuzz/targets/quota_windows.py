"""Periods of quotas in time zones, and counts in them: periods touch, and no unit is lost or counted twice.

Daylight saving, half-hour zones and short months are among the zones and days that the octets choose.
"""

from functools import cache

from mailhaul_contract.quotas import Quota, QuotaPeriod, QuotaWindow
from mailhaul_relay.policy.quota import LENGTHS, Usage, brought, counted, free_at, level, used
from mailhaul_relay.ports.calendar import window

LONGEST = 64
WORDS = (b"\x65\x53\xf1\x00", b"\x65\xff\xff\xff", b"\x00\x00\x00\x3c", b"\x00\x00\x0e\x10", b"\x00\x01\x51\x80")
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"),
    *("Pacific/Apia", "Africa/Cairo", "Asia/Tehran", "Pacific/Chatham", "America/St_Johns", "Antarctica/Troll"),
)
_PERIODS = tuple(QuotaPeriod)
_LONGEST = {QuotaPeriod.HOUR: 2 * 3600, QuotaPeriod.DAY: 2 * 86_400, QuotaPeriod.MONTH: 63 * 86_400}
_LAST = 4_000_000_000
_LIMIT = 1000


def check(data: bytes) -> None:
    """Take the first octets for the quota and a time, those that follow for times between mails and their units."""
    padded = data.ljust(8, b"\0")
    quota = _quota(padded[0] % len(_PERIODS), padded[1] % len(ZONES), 1 + padded[2] % 31, bool(padded[3] & 1))
    now = float(int.from_bytes(padded[4:8], "big") % _LAST) + padded[3] / 256
    if quota.window is QuotaWindow.CALENDAR:
        _check_touch(quota, now)
    _check_counts(quota, now, data[8:])


@cache
def _quota(period: int, zone: int, start_day: int, rolling: bool) -> Quota:
    kind = QuotaWindow.ROLLING if rolling else QuotaWindow.CALENDAR
    return Quota(period=_PERIODS[period], limit=_LIMIT, window=kind, time_zone=ZONES[zone], start_day=start_day)


def _check_touch(quota: Quota, now: float) -> None:
    present = window(quota, now)
    assert present.start <= now < present.end, "now is not in its own period"
    assert 0 < present.end - present.start <= _LONGEST[quota.period]
    assert window(quota, present.start) == present, "a period does not begin with itself"
    assert window(quota, present.end).start == present.end, "periods do not touch"
    assert window(quota, present.start - 1).end == present.start, "periods overlap, or leave a gap"


def _check_counts(quota: Quota, now: float, steps: bytes) -> None:
    usage, sent = Usage(), list[tuple[float, int]]()
    for index in range(0, len(steps) - 4, 5):
        now += int.from_bytes(steps[index : index + 4], "big") % (2 * LENGTHS[quota.period])
        period, units = window(quota, now), steps[index + 4]
        usage = counted(brought(usage, quota, period, now), quota, units, now)
        sent.append((now, units))
        _check_usage(usage, quota, now, sent)
        usage = Usage.from_json(usage.to_json())


def _check_usage(usage: Usage, quota: Quota, now: float, sent: list[tuple[float, int]]) -> None:
    period, spent = window(quota, now), used(usage, quota)
    since = period.start if quota.window is QuotaWindow.CALENDAR else now - LENGTHS[quota.period]
    least = sum(units for at, units in sent if at >= since)
    assert spent >= least, "a unit of this period is not counted"
    assert spent == least or quota.window is QuotaWindow.ROLLING, "a unit of an earlier period is counted"
    assert spent <= sum(units for _, units in sent)
    assert len(usage.slots) <= 200
    told = level(usage, quota, period, _LIMIT, now)
    assert told.used == spent
    assert told.full == 0 or told.full >= now, "it was full in the past"
    assert free_at(usage, quota, period, _LIMIT) >= (now if spent >= _LIMIT else 0)
