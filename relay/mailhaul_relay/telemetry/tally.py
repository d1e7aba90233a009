"""Plain counters that the hot path raises by one; metrics and the report read them when somebody asks.

`smtpin`, `queue` and `smtpout` write, `http` reads, all on the event loop: no lock. Counts are since the start of the
process, but those of the last day, which `queue.day_book` keeps. Nothing here can fail.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.report import ReplyReport
from mailhaul_relay.model.outcome import Fault, Outcome

Said = tuple[Outcome, float]
"""An outcome and when it came (epoch seconds); it becomes a part of the report only when somebody asks."""


class LastDay:
    """A count over the last 24 hours in buckets of one hour."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}

    def add(self, now: float, amount: int = 1) -> None:
        """Count at a time in epoch seconds."""
        hour = int(now // 3600)
        self._buckets[hour] = self._buckets.get(hour, 0) + amount
        if len(self._buckets) > 25:
            # Hours to come are of a clock that was set back: kept, they would push out the present one.
            self._buckets = {one: count for one, count in self._buckets.items() if hour - 24 <= one <= hour}

    def total(self, now: float) -> int:
        """The sum over the hour of `now` and the 23 before it."""
        last = int(now // 3600)
        return sum(amount for hour, amount in self._buckets.items() if last - 23 <= hour <= last)

    def to_json(self) -> dict[str, int]:
        """Give the form that is remembered: amounts by hour since the epoch."""
        return {str(hour): amount for hour, amount in self._buckets.items()}

    def restore(self, stored: object, now: float) -> None:
        """Add what was remembered, perhaps by another version; hours to come are of a clock that went wrong."""
        last = int(now // 3600)
        for hour, amount in stored.items() if isinstance(stored, Mapping) else ():
            if isinstance(amount, int) and str(hour).isdecimal() and last - 23 <= int(hour) <= last:
                self.add(int(hour) * 3600.0, amount)


class Histogram:
    """Counts of durations in seconds by upper bound, cumulative only when read."""

    BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)

    def __init__(self) -> None:
        self.counts = [0] * (len(self.BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.sum += seconds
        for index, bound in enumerate(self.BOUNDS):
            if seconds <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1


@dataclass
class UpstreamTally:
    """What one upstream did: recipients by outcome, transactions by fault, and its last words."""

    delivered: int = 0
    deferred: int = 0
    held: int = 0
    failed: int = 0
    unknown: int = 0
    connections_opened: int = 0
    connections_open: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    unmatched_replies: int = 0
    last_delivery: float = 0.0
    last: Said | None = None
    endpoint: str = ""
    delivery_time: Histogram = field(default_factory=Histogram)

    @property
    def last_reply(self) -> ReplyReport | None:
        """Its last words, for the report."""
        return reported(self.last)


@dataclass
class AliasTally:
    """What one MailAlias did, in recipients."""

    forwarded: int = 0
    failed: int = 0


@dataclass
class Tally:
    """Everything that one relay process counts."""

    accepted: int = 0
    accepted_bytes: int = 0
    delivered: int = 0
    failed: int = 0
    bounces: int = 0
    dropped: int = 0
    """Messages dropped by a queue command."""
    pruned: int = 0
    """Dead letters dropped since their time was over."""
    sessions_opened: int = 0
    sessions_open: int = 0
    sessions_refused: Counter[str] = field(default_factory=Counter)
    """By reason: connections, client-connections, draining, not-a-proxy, proxy-header."""
    logins: Counter[str] = field(default_factory=Counter)
    """Attempts of clients to log in, by result: accepted, refused, banned, busy."""
    refused: Counter[str] = field(default_factory=Counter)
    """Commands and messages refused, by reply code and enhanced code such as `550 5.7.1`."""
    handler_errors: int = 0
    client_identity_lost: int = 0
    http_denied: int = 0
    """HTTP requests with a missing or wrong token."""
    reloads: Counter[str] = field(default_factory=Counter)
    """By result: applied, refused."""
    accept_time: Histogram = field(default_factory=Histogram)
    """From the final dot to the 250."""
    upstreams: dict[str, UpstreamTally] = field(default_factory=dict)
    aliases: dict[str, AliasTally] = field(default_factory=dict)
    routes: dict[str, Counter[str]] = field(default_factory=dict)
    """By name: recipients by outcome of the attempt (delivered, deferred, held, failed, unknown)."""
    delivered_last_day: LastDay = field(default_factory=LastDay)
    failed_last_day: LastDay = field(default_factory=LastDay)
    last_delivery: float = 0.0
    last_delivery_upstream: str = ""
    error: Said | None = None
    last_error_upstream: str = ""

    @property
    def last_error(self) -> ReplyReport | None:
        """The last outcome that was not a delivery, for the report."""
        return reported(self.error)

    def upstream(self, name: str) -> UpstreamTally:
        """The tally of one upstream, made when it is first asked for."""
        found = self.upstreams.get(name)
        if found is None:
            found = self.upstreams[name] = UpstreamTally()
        return found

    def route(self, name: str) -> Counter[str]:
        """The counts of one route, made when they are first asked for."""
        return self.routes.setdefault(name, Counter())

    def alias(self, name: str) -> AliasTally:
        """The tally of one alias (`namespace/name`), made when it is first asked for."""
        return self.aliases.setdefault(name, AliasTally())


def reported(said: Said | None) -> ReplyReport | None:
    """An outcome in the form of the report."""
    if said is None:
        return None
    outcome, now = said
    reply = outcome.reply
    return ReplyReport(
        time=now,
        code=reply.code if reply else 0,
        enhanced=reply.enhanced if reply else "",
        text=reply.text if reply else outcome.detail,
        stage=outcome.stage.value,
        fault="" if outcome.fault is Fault.NONE else outcome.fault.value,
        remedy=outcome.remedy,
    )
