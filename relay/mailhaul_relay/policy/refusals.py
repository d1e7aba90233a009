"""From domains that one upstream refuses now: kept apart from its breaker, so that one app's wrong From stops nobody.

`queue` keeps one value for each upstream, calls `after` with each outcome and shows `refused` to `routing`. A refused
domain is tried again after 5, 15, then every 60 minutes: a provider's customer may have verified it meanwhile.
Failures: a stored form that cannot be read is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from mailhaul_relay.model.outcome import Fault, Outcome, Verdict

DELAYS = (300.0, 900.0, 3600.0)
"""Seconds until a refused domain is tried again."""
MAX_DOMAINS = 1000
"""Domains that are remembered; From domains are the clients' choice, memory is ours."""


class _Refusal(NamedTuple):
    times: int
    until: float
    said: tuple[Outcome, float] | None = None
    """What was said, and when; not remembered over a restart."""


@dataclass(frozen=True, slots=True)
class SenderRefusals:
    """The refused domains, each with how often and until when."""

    domains: Mapping[str, _Refusal] = field(default_factory=dict)

    def refused(self, now: float) -> frozenset[str]:
        """Give the domains that are not to be tried now."""
        return frozenset(domain for domain, one in self.domains.items() if now < one.until)

    def said(self, now: float) -> Mapping[str, tuple[Outcome, float]]:
        """Give what was said of each refused domain, and when, where that is known."""
        return {domain: one.said for domain, one in self.domains.items() if one.said and now < one.until}

    def next_attempt(self, domain: str) -> float:
        """When a domain is tried again, in epoch seconds; 0 when it is not refused."""
        return self.domains[domain].until if domain in self.domains else 0.0

    def after(self, domain: str, outcome: Outcome, now: float) -> "SenderRefusals":
        """Give the refusals after an outcome for mail with this From domain."""
        known = self.domains.get(domain)
        if outcome.fault is Fault.SENDER and outcome.verdict is not Verdict.DELIVERED:
            if known and now < known.until:
                return self
            count = min((known.times if known else 0) + 1, len(DELAYS))
            return self._with(
                domain, _Refusal(count, now + DELAYS[count - 1], (outcome, now) if outcome.reply else None)
            )
        if known and outcome.verdict is Verdict.DELIVERED:
            return SenderRefusals({name: one for name, one in self.domains.items() if name != domain})
        return self

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered."""
        return {"domains": {name: [one.times, one.until] for name, one in self.domains.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what was remembered."""
        try:
            entries = dict(data.get("domains", {})).items()
            return cls({str(name): _Refusal(int(one[0]), float(one[1])) for name, one in entries})
        except (ValueError, TypeError, LookupError, OverflowError):
            return cls()

    def _with(self, domain: str, refusal: _Refusal) -> "SenderRefusals":
        domains = {**self.domains, domain: refusal}
        if len(domains) > MAX_DOMAINS:
            del domains[min(domains, key=lambda name: domains[name].until)]
        return SenderRefusals(domains)
