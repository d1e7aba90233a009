"""What is used of one quota: counted, brought into the present period, compared with the limit, foretold.

`queue.ledger` keeps a `Usage` for each quota and remembers its JSON over restarts; `ports.calendar` tells the period
that runs. A calendar quota counts since its period began. A rolling one counts slots of time, each of which is given
back when the last second of it is as old as the period is long: what is used is at times overstated, never understated.
The slots are kept for calendar quotas too: the forecast goes by them, and after a change of zone or start day the count
of the new period is made of them. What a clock counted that was ahead by more than a period, and has been set right
since, counts as sent now; else nothing of it would ever be given back, nor of what followed. Failures: a stored form
that cannot be read is nothing used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from mailhaul_contract.quotas import Quota, QuotaPeriod, QuotaWindow, Share

LENGTHS: Mapping[QuotaPeriod, int] = {QuotaPeriod.HOUR: 3600, QuotaPeriod.DAY: 86_400, QuotaPeriod.MONTH: 2_592_000}
"""Seconds of a rolling period; a rolling month is 30 days."""
SLOTS: Mapping[QuotaPeriod, int] = {QuotaPeriod.HOUR: 60, QuotaPeriod.DAY: 900, QuotaPeriod.MONTH: 21_600}
"""Seconds of a slot: at most 121 of them are remembered."""
LOOKBACK: Mapping[QuotaPeriod, int] = {QuotaPeriod.HOUR: 600, QuotaPeriod.DAY: 7200, QuotaPeriod.MONTH: 172_800}
"""Seconds over which the rate of the forecast is taken: one busy minute says nothing of a month."""

TELLING = 0.25
"""The part of it that must have been seen, while less than half of the limit is used."""


class Window(NamedTuple):
    """The period that runs, in epoch seconds; a rolling one begins its length before now and ends now."""

    start: float
    end: float


class Slot(NamedTuple):
    """What was counted in one slot; `number` is its beginning over its length."""

    number: int
    units: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used of one quota. `used` counts since `start`, the beginning of the calendar period that `rule` defines.
    `told` is when the provider last said that it takes no more in this period, 0 when it has not.
    """

    rule: str = ""
    start: float = 0.0
    used: int = 0
    slots: tuple[Slot, ...] = ()
    told: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered."""
        slots = [list(one) for one in self.slots]
        return {"rule": self.rule, "start": self.start, "used": self.used, "slots": slots, "told": self.told}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what was remembered, perhaps by another version: unknown fields are ignored."""
        try:
            slots = tuple(Slot(int(number), max(0, int(units))) for number, units in data.get("slots", ()))
            start, told = float(data.get("start", 0)), float(data.get("told", 0))
            return cls(str(data.get("rule", "")), start, max(0, int(data.get("used", 0))), slots[-200:], told)
        except (ValueError, TypeError, OverflowError, AttributeError):
            return cls()


class Level(NamedTuple):
    """How a quota stands for this replica: used and limit in its units, when it gives something back (`reset`, 0 for
    never), when it is full at the present rate before that (`full`, 0 when it is not foreseen), and whether the
    provider itself says that it is used up.
    """

    used: int
    limit: int
    reset: float
    full: float
    told: bool


def rule_of(quota: Quota) -> str:
    """Give what defines the calendar periods of a quota; with another one the count begins anew."""
    return f"{quota.window.value} {quota.time_zone} {quota.start_day}"


def brought(usage: Usage, quota: Quota, window: Window, now: float) -> Usage:
    """Bring a count into the period that runs now: what is of earlier ones is dropped."""
    rule, usage = rule_of(quota), _set_right(usage, quota, now)
    width, rolling = SLOTS[quota.period], quota.window is QuotaWindow.ROLLING
    if usage.rule == rule and (rolling or usage.start == window.start) and not _has_old(usage, quota, now):
        return usage
    slots = tuple(one for one in usage.slots if _given_back(one, quota) > now)
    if rolling:
        told = usage.told if now < usage.told + LENGTHS[quota.period] else 0.0
        return Usage(rule, 0.0, 0, slots, told)
    if usage.rule == rule and usage.start == window.start:
        return replace(usage, slots=slots)
    # A new period begins with what falls into it: nothing, unless the clock was set back meanwhile. Of another rule, or
    # when the clock has gone back to an earlier period, slots that its beginning cuts count whole.
    follows = usage.rule == rule and window.start >= usage.start
    first = window.start if follows else window.start - width + 1
    since = sum(one.units for one in slots if one.number * width >= first)
    return Usage(rule, window.start, since, slots, usage.told if usage.told >= window.start else 0.0)


def counted(usage: Usage, quota: Quota, units: int, now: float) -> Usage:
    """Count units that were sent now; the usage has been brought into the period before."""
    number, slots = int(now // SLOTS[quota.period]), usage.slots
    if slots and slots[-1].number >= number:
        # A clock that was set back counts on in the newest slot.
        slots = (*slots[:-1], Slot(slots[-1].number, slots[-1].units + units))
    else:
        slots = (*slots, Slot(number, units))
    return replace(usage, used=usage.used + units, slots=slots)


def used(usage: Usage, quota: Quota) -> int:
    """Give what is used of the period that runs."""
    return sum(one.units for one in usage.slots) if quota.window is QuotaWindow.ROLLING else usage.used


def allotted(quota: Quota, share: Share, ordinal: int, window: Window) -> int:
    """Give the units of this quota that a replica may use in a period; all replicas' together are never more than the
    limit, whatever their number was while it ran.
    """
    if not share.changed or window.start >= share.changed:
        return quota.limit // share.of
    if ordinal < share.least:
        return quota.limit // share.most
    return quota.late if window.end == quota.late_until else 0


def cap(quota: Quota, limit: int, *, important: bool) -> int:
    """Give how much of a limit mail may use: all of it when it is important, else what is not reserved."""
    return limit if important else limit * (100 - quota.reserve_percent) // 100


def free_at(usage: Usage, quota: Quota, window: Window, most: int) -> float:
    """Give when less than `most` is used, if nothing more is sent."""
    if quota.window is QuotaWindow.CALENDAR:
        return window.end
    left = used(usage, quota)
    for slot in usage.slots:
        left -= slot.units
        if left < most:
            return _given_back(slot, quota)
    return window.end + LENGTHS[quota.period]  # nothing may be used at all: a share that is too small, or still to come


def level(usage: Usage, quota: Quota, window: Window, limit: int, now: float) -> Level:
    """Say how a quota stands for people: use, limit, reset and forecast."""
    spent = used(usage, quota)
    reset = window.end if quota.window is QuotaWindow.CALENDAR else _next_back(usage, quota)
    full = 0.0 if spent >= limit or usage.told else _forecast(usage, quota, limit - spent, reset, now)
    return Level(max(spent, limit) if usage.told else spent, limit, reset, full, usage.told > 0)


def named_period(text: str) -> QuotaPeriod | None:
    """Give the period that a provider's reply names; None when it names none."""
    words = text.casefold()
    if "month" in words:
        return QuotaPeriod.MONTH
    if "daily" in words or "day" in words or "24 hour" in words or "24-hour" in words:
        return QuotaPeriod.DAY
    return QuotaPeriod.HOUR if "hour" in words else None


def _given_back(slot: Slot, quota: Quota) -> float:
    """When the last second of a slot is as old as the period is long. A calendar period may be an hour or a day longer
    than that; its own count holds then.
    """
    return (slot.number + 1) * SLOTS[quota.period] + LENGTHS[quota.period]


def _set_right(usage: Usage, quota: Quota, now: float) -> Usage:
    """Bring to now what lies more than a period ahead of it."""
    width, latest = SLOTS[quota.period], now + LENGTHS[quota.period]
    if usage.told <= latest and (not usage.slots or usage.slots[-1].number * width <= latest):
        return usage
    kept = replace(
        usage,
        slots=tuple(one for one in usage.slots if one.number * width <= latest),
        told=usage.told if usage.told <= latest else now,
    )
    ahead = sum(one.units for one in usage.slots if one.number * width > latest)
    return replace(counted(kept, quota, ahead, now), used=usage.used) if ahead else kept


def _has_old(usage: Usage, quota: Quota, now: float) -> bool:
    """Whether something of it is over, by the measure of a rolling period."""
    told_before = usage.told and now >= usage.told + LENGTHS[quota.period]
    return bool(told_before or (usage.slots and _given_back(usage.slots[0], quota) <= now))


def _next_back(usage: Usage, quota: Quota) -> float:
    return _given_back(usage.slots[0], quota) if usage.slots else 0.0


def _forecast(usage: Usage, quota: Quota, left: int, reset: float, now: float) -> float:
    """When `left` units are gone at the rate of late, if that is before the reset. A rolling quota gives back what it
    took, so it is only full when a whole period at this rate is more than the limit.
    """
    width = SLOTS[quota.period]
    since = now - LOOKBACK[quota.period]
    recent = [one for one in usage.slots if (one.number + 1) * width > since]
    units, spent = sum(one.units for one in recent), used(usage, quota)
    seconds = now - recent[0].number * width if recent else 0.0
    if not units or (seconds < LOOKBACK[quota.period] * TELLING and spent < left):
        return 0.0  # a few messages at the start say nothing of a rate
    rate = units / max(seconds, width)
    full = now + left / rate
    if quota.window is QuotaWindow.ROLLING:
        return full if rate * LENGTHS[quota.period] > left + spent else 0.0
    return full if full < reset else 0.0
