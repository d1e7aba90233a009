"""Domains that one upstream refuses now: kept apart from its breaker, so that one app's wrong From stops nobody.

Before the content an upstream sees the envelope sender only: what it refuses until then says nothing of the From, nor
what it refuses later of the envelope sender. `queue` keeps a value of each kind for each upstream, calls `after` with
each outcome and shows `refused` to `routing`. A refused domain is tried again after 5, 15, then every 60 minutes: a
provider's customer may have verified it meanwhile. After a restart a From is still told, and tried by the next mail:
what was mended meanwhile shows at once. A refusal that would last longer than the longest of these is of a clock that
was ahead and has been set right since: it is over. Failures: a stored form that cannot be read is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict

DELAYS = (300.0, 900.0, 3600.0)
"""Seconds until a refused domain is tried again."""
MAX_DOMAINS = 1000
"""Domains that are remembered; From domains are the clients' choice, memory is ours."""
MAX_KEPT = 100
"""Of these, over a restart."""
_BEFORE_CONTENT = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA})


class _Refusal(NamedTuple):
    times: int
    until: float
    said: tuple[Outcome, float] | None = None
    """What was said, and when."""
    recalled: bool = False
    """Known from before a restart: told, but no reason to wait."""

    def lasts(self, now: float) -> bool:
        """Whether its time is not over."""
        return now < self.until <= now + DELAYS[-1]


def is_of_envelope(outcome: Outcome) -> bool:
    """Whether the upstream had seen no From yet when it said this."""
    return outcome.stage in _BEFORE_CONTENT


@dataclass(frozen=True, slots=True)
class SenderRefusals:
    """The refused domains, each with how often and until when."""

    domains: Mapping[str, _Refusal] = field(default_factory=dict)

    def refused(self, now: float) -> frozenset[str]:
        """Give the domains that are not to be tried now."""
        return frozenset(domain for domain, one in self.domains.items() if one.lasts(now) and not one.recalled)

    def told(self, now: float) -> frozenset[str]:
        """Give the domains that are refused as far as anybody knows."""
        return frozenset(domain for domain, one in self.domains.items() if one.lasts(now))

    def said(self, now: float) -> Mapping[str, tuple[Outcome, float]]:
        """Give what was said of each refused domain, and when, where that is known."""
        return {domain: one.said for domain, one in self.domains.items() if one.said and one.lasts(now)}

    def next_attempt(self, domain: str) -> float:
        """When a domain is tried again, in epoch seconds; 0 when it is not refused."""
        return self.domains[domain].until if domain in self.domains else 0.0

    def recent(self, now: float) -> "SenderRefusals":
        """Give those that are not over for so long that they mean nothing: names of machines do not come again."""
        if all(now < one.until + DELAYS[-1] for one in self.domains.values()):
            return self
        return SenderRefusals({name: one for name, one in self.domains.items() if now < one.until + DELAYS[-1]})

    def after(self, domain: str, outcome: Outcome, now: float) -> "SenderRefusals":
        """Give the refusals after an outcome for mail with this domain."""
        known = self.domains.get(domain)
        if outcome.fault is Fault.SENDER and outcome.verdict is not Verdict.DELIVERED:
            if known and known.lasts(now) and not known.recalled:
                return self
            count = min((known.times if known else 0) + 1, len(DELAYS))
            return self._with(
                domain, _Refusal(count, now + DELAYS[count - 1], (outcome, now) if outcome.reply else None)
            )
        if known and outcome.verdict is Verdict.DELIVERED:
            return SenderRefusals({name: one for name, one in self.domains.items() if name != domain})
        return self

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered: the domains that are refused for longest, for more are never told."""
        longest = sorted(self.domains.items(), key=lambda one: one[1].until, reverse=True)[:MAX_KEPT]
        return {"domains": {name: _to_json(one) for name, one in longest}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], now: float) -> Self:
        """Read what was remembered, perhaps by another version, but for what is over."""
        try:
            entries = {str(name): _from_json(one) for name, one in dict(data.get("domains", {})).items()}
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
            return cls()
        return cls({name: one for name, one in entries.items() if one.lasts(now)})

    def _with(self, domain: str, refusal: _Refusal) -> "SenderRefusals":
        domains = {**self.domains, domain: refusal}
        if len(domains) > MAX_DOMAINS:
            del domains[min(domains, key=lambda name: domains[name].until)]
        return SenderRefusals(domains)


def _to_json(one: _Refusal) -> dict[str, Any]:
    known: dict[str, Any] = {"times": one.times, "until": one.until}
    outcome, time = one.said or (None, 0.0)
    if outcome is None or outcome.reply is None:
        return known
    reply = [outcome.reply.code, outcome.reply.enhanced, outcome.reply.text]
    said = {"reply": reply, "stage": outcome.stage.value, "remedy": outcome.remedy, "time": time}
    return {**known, "said": said}


def _from_json(data: Mapping[str, Any]) -> _Refusal:
    times, until = min(max(int(data["times"]), 1), len(DELAYS)), float(data["until"])
    said = data.get("said")
    if said is None:
        return _Refusal(times, until, recalled=True)
    code, enhanced, text = said["reply"]
    reply = Reply(int(code), str(enhanced)[:16], str(text)[:512])
    outcome = Outcome(Verdict.HOLD, Stage(said["stage"]), Fault.SENDER, reply, remedy=str(said["remedy"])[:512])
    return _Refusal(times, until, (outcome, float(said["time"])), recalled=True)
