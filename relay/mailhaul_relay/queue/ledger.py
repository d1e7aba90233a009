"""The ledger of one provider: what is used of its quotas and what is under way, so that no limit is passed.

`way` asks whether it is spent, `ways` reserves before a transmission and settles after it, `ledgers` remembers it. A
reservation counts as used until it is settled, so transmissions at once do not overshoot. It grows while a provider
takes a message in more parts than were reckoned. What was delivered counts, and what may have been (the outcome is
unknown); what the provider refused does not. Nothing here waits or can fail.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from mailhaul_contract.quotas import Quota, QuotaCounts, QuotaPeriod
from mailhaul_contract.report import QuotaReport
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.policy.dates import header_date
from mailhaul_relay.policy.quota import (
    Usage,
    Window,
    allotted,
    brought,
    cap,
    counted,
    free_at,
    level,
    named_period,
    used,
)
from mailhaul_relay.policy.routing import Spent
from mailhaul_relay.ports.calendar import trial_end, window
from mailhaul_relay.ports.clock import Clock

BATCH = 100
"""Recipients of one transaction where the provider names no limit, as `smtpout.pool` sends them."""
SOON = 5.0
"""Seconds until mail looks again that waits only because the rest of the quota is under way: some may come back."""
_TAKEN = frozenset({Verdict.DELIVERED, Verdict.UNKNOWN})


class Grant(NamedTuple):
    """What a transmission may use: so many of its first recipients, in so many messages."""

    recipients: int
    messages: int

    def units(self, quota: Quota) -> int:
        """Give it as a quota counts."""
        return self.recipients if quota.counts is QuotaCounts.RECIPIENTS else self.messages


class Ledger:
    """The quotas of one provider. `on_change` is called when there is something to remember."""

    def __init__(self, stored: Mapping[str, Any], ordinal: int, clock: Clock) -> None:
        self._ordinal, self._clock = ordinal, clock
        self._usages = {one: Usage.from_json(stored[one]) for one in QuotaPeriod if isinstance(stored.get(one), dict)}
        self._upstream: Upstream | None = None
        self._quotas: tuple[Quota, ...] = ()
        self._windows: dict[QuotaPeriod, Window] = {}
        self._under_way = Grant(0, 0)
        self.on_change: Callable[[], None] = lambda: None

    def follow(self, upstream: Upstream) -> None:
        """Take the limits of a configuration; what is used stays."""
        self._upstream, self._quotas = upstream, upstream.quotas
        self._windows.clear()

    def spent(self, *, important: bool) -> Spent | None:
        """Tell the quota that keeps mail away now, the one for the longest; None while each has room for one unit."""
        now, found = self._clock(), None
        for quota in self._quotas:
            one = self._spent(quota, now, important=important)
            if one is not None and (found is None or one.until > found.until):
                found = one
        return found

    def reserve(self, transmission: Transmission) -> "Reservation | None":
        """Set aside what a transmission needs, or as much of it as there is; None when there is nothing."""
        recipients, batch, now = len(transmission.recipients), self._batch, self._clock()
        for quota in self._quotas:
            left = self._left(quota, now, important=transmission.important)
            recipients = min(recipients, left if quota.counts is QuotaCounts.RECIPIENTS else left * batch)
        if recipients <= 0:
            return None
        grant = Grant(recipients, -(-recipients // batch))
        self._under_way = _sum(self._under_way, grant)
        self.on_change()
        return Reservation(self, transmission, grant)

    def widen(self, grant: Grant, *, important: bool) -> Grant | None:
        """Set aside one message more for the recipients of a grant; None when there is none."""
        now = self._clock()
        of_messages = (one for one in self._quotas if one.counts is QuotaCounts.MESSAGES)
        if any(not self._left(quota, now, important=important) for quota in of_messages):
            return None
        self._under_way = _sum(self._under_way, _ONE_MESSAGE)
        self.on_change()
        return _sum(grant, _ONE_MESSAGE)

    def settle(self, grant: Grant, delivery: Delivery | None) -> None:
        """Count what was taken or may have been, and give the rest back; None: it was not begun."""
        self._under_way = Grant(
            self._under_way.recipients - grant.recipients, self._under_way.messages - grant.messages
        )
        taken = sum(one.verdict in _TAKEN for one in delivery.outcomes) if delivery else 0
        if delivery and taken:
            self._count(Grant(taken, max(1, delivery.transactions)), delivery.outcomes)
        self.on_change()

    def told(self, outcome: Outcome) -> float:
        """Note that the provider says it takes no more: the quota that it means is full until its reset. Gives the
        reset, 0 when it is not known.
        """
        now = self._clock()
        quota = self._meant(outcome.text, now)
        if quota is None:
            return 0.0
        usage, there = self._usage(quota, now)
        self._usages[quota.period] = replace(usage, told=now)
        self.on_change()
        # A rolling quota says nothing of when the provider takes the next one: a trial finds it out.
        return there.end if there.end > now else 0.0

    def reports(self) -> tuple[QuotaReport, ...]:
        """Give every quota as the report shows it."""
        now = self._clock()
        return tuple(self._report(quota, now) for quota in self._quotas)

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered. What is under way counts as used: after a crash nobody comes to tell."""
        now = self._clock()
        for quota in self._quotas:
            self._usage(quota, now)
        periods = {one.period: one for one in self._quotas}
        return {period.value: self._with_under_way(period, periods, now).to_json() for period in self._usages}

    @property
    def _batch(self) -> int:
        return (self._upstream.behavior.max_recipients if self._upstream else 0) or BATCH

    def _with_under_way(self, period: QuotaPeriod, quotas: Mapping[QuotaPeriod, Quota], now: float) -> Usage:
        usage, quota = self._usages[period], quotas.get(period)
        units = self._under_way.units(quota) if quota else 0
        return counted(usage, quota, units, now) if quota and units else usage

    def _usage(self, quota: Quota, now: float) -> tuple[Usage, Window]:
        there = self._window(quota, now)
        usage = self._usages[quota.period] = brought(self._usages.get(quota.period, Usage()), quota, there, now)
        return usage, there

    def _window(self, quota: Quota, now: float) -> Window:
        """The period that runs, looked up in the calendar once."""
        there = self._windows.get(quota.period)
        if there is None or not there.start <= now < there.end:
            there = self._windows[quota.period] = window(quota, now)
        return there

    def _count(self, taken: Grant, outcomes: tuple[Outcome, ...]) -> None:
        now = self._clock()
        # What was taken before the provider said in the same transmission that it takes no more proves nothing.
        refused = any(one.fault is Fault.QUOTA for one in outcomes)
        proved = not refused and any(one.verdict is Verdict.DELIVERED for one in outcomes)
        for quota in self._quotas:
            usage, _ = self._usage(quota, now)
            usage = replace(usage, told=0.0) if proved and usage.told else usage
            self._usages[quota.period] = counted(usage, quota, taken.units(quota), now)

    def _share(self, quota: Quota, there: Window) -> int:
        assert self._upstream is not None, "there is no quota without its upstream"
        return allotted(quota, self._upstream.share, self._ordinal, there)

    def _left(self, quota: Quota, now: float, *, important: bool) -> int:
        usage, there = self._usage(quota, now)
        most = cap(quota, self._share(quota, there), important=important)
        return max(0, most - used(usage, quota) - self._under_way.units(quota))

    def _spent(self, quota: Quota, now: float, *, important: bool) -> Spent | None:
        usage, there = self._usage(quota, now)
        limit = self._share(quota, there)
        most, spent = cap(quota, limit, important=important), used(usage, quota)
        if spent + self._under_way.units(quota) < most:
            return None
        if spent < most:
            return Spent(now + SOON, f"{self._name}: the rest of {_words(quota, limit)} is under way")
        until = free_at(usage, quota, there, most)
        kept = f", but for {limit - most} kept for important routes" if most < limit and not important else ""
        return Spent(until, f"{self._name}: {_words(quota, limit)} are used up{kept}; more at {header_date(until)}")

    @property
    def _name(self) -> str:
        return self._upstream.name if self._upstream else ""

    def _meant(self, text: str, now: float) -> Quota | None:
        """The quota of which a reply tells: that of the period that it names, which need not be one that is written
        down; when it names none, the one that is used most.
        """
        period = named_period(text)
        if period is not None:
            return next((one for one in self._quotas if one.period is period), None)
        return max(self._quotas, key=lambda one: self._part(one, now), default=None)

    def _part(self, quota: Quota, now: float) -> float:
        usage, there = self._usage(quota, now)
        return used(usage, quota) / max(1, self._share(quota, there))

    def _report(self, quota: Quota, now: float) -> QuotaReport:
        usage, there = self._usage(quota, now)
        one = level(usage, quota, there, self._share(quota, there), now)
        return QuotaReport(
            period=quota.period,
            counts=quota.counts,
            used=one.used,
            under_way=self._under_way.units(quota),
            limit=one.limit,
            reset=one.reset,
            full=one.full,
            told=one.told,
            trial_end=trial_end(quota),
        )


class Reservation:
    """What a transmission has set aside of its provider's quotas, from before its first transaction until it is
    settled, which its owner does in any case.
    """

    def __init__(self, ledger: Ledger, transmission: Transmission, grant: Grant) -> None:
        self._ledger, self._transmission, self._grant = ledger, transmission, grant

    def part(self) -> Transmission:
        """Give the part of the transmission that may be sent."""
        to = self._transmission.recipients
        if len(to) == 1:
            return self._transmission
        return replace(self._transmission, recipients=to[: self._grant.recipients], further=self._further)

    def settle(self, delivery: Delivery | None) -> None:
        """See `Ledger.settle`."""
        self._ledger.settle(self._grant, delivery)

    def with_rest(self, delivery: Delivery) -> Delivery:
        """Give the delivery with outcomes for the recipients for which the quota did not suffice, once it is settled:
        only then it is known what is used up.
        """
        missing = len(self._transmission.recipients) - len(delivery.outcomes)
        if not missing and not any(one is _REST for one in delivery.outcomes):
            return delivery
        spent = self._ledger.spent(important=self._transmission.important)
        rest = replace(_REST, detail=spent.reason) if spent else _REST
        told = (rest if one is _REST else one for one in delivery.outcomes)
        return replace(delivery, outcomes=(*told, *[rest] * missing))

    def _further(self, taken: int) -> Outcome | None:
        if taken < self._grant.messages:
            return None
        wider = self._ledger.widen(self._grant, important=self._transmission.important)
        if wider is None:
            return _REST
        self._grant = wider
        return None


def answered(delivery: Delivery) -> Delivery:
    """Give a delivery with what the provider said, without what was not sent for its quota."""
    return replace(delivery, outcomes=tuple(one for one in delivery.outcomes if one is not _REST))


def _words(quota: Quota, limit: int) -> str:
    of = "of this replica " if limit != quota.limit else ""
    period = "an hour" if quota.period is QuotaPeriod.HOUR else f"a {quota.period.value.lower()}"
    return f"the {limit} {quota.counts.value.lower()} {of}{period}"


def _sum(one: Grant, other: Grant) -> Grant:
    return Grant(one.recipients + other.recipients, one.messages + other.messages)


_ONE_MESSAGE = Grant(0, 1)
_REST = Outcome(Verdict.HOLD, Stage.RELAY, Fault.QUOTA, detail="the quota did not suffice for all recipients at once")
