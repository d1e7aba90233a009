"""The breaker of one upstream: whether mail may go there now, and when it is tried again.

`queue` keeps one for each upstream, asks `permits` before an attempt, calls `after` with each outcome, and remembers
its JSON over restarts. It lets one message through as a trial once `next_attempt` has come; who is on trial is the
queue's knowledge. Only faults of the whole upstream move it; a refused From is in `refusals`.

- Connection, TLS and token: open at once when no session came about; when a session breaks later, at the third in a
  row, since it may be that one message. Trials after 10, 30, 60, 120 and then every 300 s.
- Auth: open at once; trials after 5, 15, then every 60 minutes (more often is abuse to a provider).
- Quota: open at once; a trial every 60 minutes. Throttle: 30, 60, 120, 300, 600 s.
Jitter only lengthens, by up to a fifth. A pause that would last longer than the longest of these began by a clock that
was ahead and has been set right since: it is over. Failures: a stored form that cannot be read is a closed breaker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from mailhaul_contract.report import BreakerState
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict

JITTER = 0.2
RESET_SPREAD = 10.0
"""Seconds after a quota's reset within which the first trial is made."""
SOFT_FAILURES = 3
"""Sessions in a row that may break after they came about before the breaker opens."""

_DELAYS: Mapping[Fault, tuple[float, ...]] = {
    Fault.CONNECTION: (10, 30, 60, 120, 300),
    Fault.TLS: (10, 30, 60, 120, 300),
    Fault.TOKEN: (10, 30, 60, 120, 300),
    Fault.AUTH: (300, 900, 3600),
    Fault.QUOTA: (3600,),
    Fault.THROTTLE: (30, 60, 120, 300, 600),
}
_LONGEST = max(delays[-1] for delays in _DELAYS.values()) * (1 + JITTER)
_IN_SESSION = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA})
_MENDED_BY_SESSION = frozenset({Fault.CONNECTION, Fault.TLS, Fault.TOKEN, Fault.AUTH})


@dataclass(frozen=True, slots=True)
class Breaker:
    """`fault` NONE is closed. `failures` in a row since it opened; `strikes` are broken sessions while it is closed.
    `since` and `next_attempt` are epoch seconds; `text` is the upstream's last word about it.
    """

    fault: Fault = Fault.NONE
    failures: int = 0
    strikes: int = 0
    since: float = 0.0
    next_attempt: float = 0.0
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether mail waits for a trial."""
        return self.fault is not Fault.NONE

    def permits(self, now: float) -> bool:
        """Whether an attempt may begin: closed, or due for a trial."""
        return not self.is_open or not now < self.next_attempt <= now + _LONGEST

    def state(self, now: float) -> BreakerState:
        """The state to report: half open from the moment a trial is due."""
        if not self.is_open:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self.permits(now) else BreakerState.OPEN

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered."""
        return {
            "fault": self.fault.value,
            "failures": self.failures,
            "strikes": self.strikes,
            "since": self.since,
            "nextAttempt": self.next_attempt,
            "text": self.text,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what was remembered, perhaps by another version: unknown fields are ignored."""
        try:
            fault = Fault(data.get("fault", ""))
            if fault is not Fault.NONE and fault not in _DELAYS:
                return cls()
            return cls(
                fault,
                int(data.get("failures", 0)),
                int(data.get("strikes", 0)),
                float(data.get("since", 0)),
                float(data.get("nextAttempt", 0)),
                str(data.get("text", ""))[:512],
            )
        except (ValueError, TypeError, OverflowError):
            return cls()


def after(breaker: Breaker, outcome: Outcome, now: float, chance: float) -> Breaker:
    """Give the breaker after one outcome at this upstream; `chance` in [0, 1) is the jitter."""
    if outcome.verdict is Verdict.DELIVERED:
        return Breaker()
    if outcome.fault.is_of_upstream:
        return _failed(breaker, outcome, now, chance)
    if breaker.fault in _MENDED_BY_SESSION and _came_about(outcome):
        return Breaker()
    if breaker.is_open and breaker.permits(now):
        # A trial that proved nothing, such as a refused recipient at a provider whose quota was spent.
        return replace(breaker, next_attempt=now + _delay(breaker.fault, breaker.failures, chance))
    return breaker if breaker.is_open else replace(breaker, strikes=0)


def after_session(breaker: Breaker) -> Breaker:
    """Give the breaker after a session that was ready for mail, though none was sent (a probe)."""
    return Breaker() if breaker.fault in _MENDED_BY_SESSION else breaker


def no_later(breaker: Breaker, time: float, chance: float) -> Breaker:
    """Give a breaker whose next trial is not after a time (0 for none) at which what opened it is over: a quota's
    reset. Chance in [0, 1) spreads the replicas that all wait for it.
    """
    if not time or not breaker.is_open or breaker.next_attempt <= time:
        return breaker
    return replace(breaker, next_attempt=time + RESET_SPREAD * chance)


def pause(fault: Fault, failures: int) -> float:
    """Seconds from the last of so many failures in a row until the next attempt, before jitter."""
    delays = _DELAYS[fault]
    return delays[min(max(failures, 1), len(delays)) - 1]


def _failed(breaker: Breaker, outcome: Outcome, now: float, chance: float) -> Breaker:
    same = breaker.fault is outcome.fault
    if same and not breaker.permits(now):
        # It was under way when the breaker opened: the same failure told twice.
        return breaker
    if not breaker.is_open and _is_soft(outcome) and breaker.strikes + 1 < SOFT_FAILURES:
        return replace(breaker, strikes=breaker.strikes + 1)
    failures = breaker.failures + 1 if same else 1
    next_attempt = now + _delay(outcome.fault, failures, chance)
    if not breaker.permits(now):
        next_attempt = max(next_attempt, breaker.next_attempt)
    since = breaker.since if breaker.is_open else now
    return Breaker(outcome.fault, failures, 0, since, next_attempt, outcome.text[:512])


def _came_about(outcome: Outcome) -> bool:
    """Whether there was a session that was ready for mail: what it offered does not fit a message that then fails."""
    return outcome.stage in _IN_SESSION or (outcome.stage is Stage.RELAY and outcome.verdict is Verdict.FAILED)


def _is_soft(outcome: Outcome) -> bool:
    return outcome.fault in {Fault.CONNECTION, Fault.TLS} and outcome.stage in _IN_SESSION


def _delay(fault: Fault, failures: int, chance: float) -> float:
    return pause(fault, failures) * (1 + JITTER * chance)
