"""When a provider is to be probed, and by which pod of which relay: one prober for each credential, rarely.

At once for a new generation or revision of the credentials; else after the interval with jitter, unless a delivery or a
login has proved the provider meanwhile. Frequent logins are abuse, and a throttled provider is left in peace; one that
was not reached, so that no login was made, is looked at again soon, for it may be just starting. The caller remembers
what it asked for until the report has the answer. Pure.
"""

from dataclasses import dataclass
from typing import Final

from mailhaul_contract.report import BreakerState, CredentialState, ProbeReport, ProbeStage
from mailhaul_operator.assess.evidence import for_token
from mailhaul_operator.assess.provider_facts import ProviderFacts
from mailhaul_operator.assess.provider_stages import is_capture
from mailhaul_operator.assess.view import ProviderView, UsedBy

JITTER: Final = 0.2
"""Of the interval, at most, is added to it."""
UNREACHED: Final = 60.0
"""Seconds until a provider is looked at again that a probe did not reach: less than the grace before `Stalled`."""
BEFORE_LOGIN: Final = frozenset({ProbeStage.CONNECT, ProbeStage.TLS, ProbeStage.EHLO})
PATIENCE: Final = 60.0
"""Seconds that an answer to an order may take before it is given again."""


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """Which pod is to probe: `POST /v1/upstreams/<handle>/probe`."""

    namespace: str
    relay: str
    pod: str
    handle: str


def due(view: ProviderView, jitter: float, asked: float = 0) -> ProbeOrder | None:
    """Give the order when a probe is due now. `jitter` is in [0, 1), the same at each look; `asked` is when the last
    order for this provider was given (epoch seconds), 0 when none was.
    """
    wait = next_look(view, jitter, asked)
    prober = _prober(ProviderFacts(view))
    if prober is None or wait is None or wait > 0:
        return None
    return ProbeOrder(prober.namespace, prober.relay, min(prober.reporting), prober.handle)


def next_look(view: ProviderView, jitter: float, asked: float = 0) -> float | None:
    """Give the seconds until a probe could become due; None while no pod could make one."""
    facts = ProviderFacts(view)
    if is_capture(facts) or _prober(facts) is None:
        return None
    at = max(_planned(facts, jitter), _allowed(facts), asked + PATIENCE if asked else 0)
    return max(0.0, at - view.now)


def _prober(facts: ProviderFacts) -> UsedBy | None:
    """The first relay in order that reports with the present settings: always the same one while it lives."""
    return next((one for one in facts.used if one.settled and one.reporting and one.reports), None)


def _planned(facts: ProviderFacts, jitter: float) -> float:
    """When the next one is due: now (0) when nothing is known of the present settings."""
    probed = (one.probe.time for one in facts.reports if one.probe)
    # A delivery with the credential that is there tells as much: another Secret of the relay may be what has changed.
    taken = (one.last_accepted for one in facts.reports if one.credential is CredentialState.PROVED)
    tried = max([facts.known_since, *probed, *taken])
    if not tried:
        return 0
    proved = max((one.last_delivery for one in facts.reports), default=0)
    if _unreached(facts):
        return tried + UNREACHED
    interval = facts.view.provider.spec.probe.interval
    return max(tried, proved) + interval + interval * JITTER * jitter


def _unreached(facts: ProviderFacts) -> bool:
    """Whether the newest probe ended before its login, and no mail has left since."""
    probes = [one.probe for one in facts.reports if one.probe]
    newest: ProbeReport | None = max(probes, key=lambda one: one.time, default=None)
    if newest is None or any(one.last_delivery > newest.time for one in facts.reports):
        return False
    return any(not one.passed and (one.stage in BEFORE_LOGIN or for_token(one.reply)) for one in newest.stages)


def _allowed(facts: ProviderFacts) -> float:
    """A provider that has throttled us is not asked before the relay would try it again."""
    if not facts.known_since:
        return 0
    throttled = (one for one in facts.reports if one.breaker_fault == "throttle")
    return max((one.next_attempt for one in throttled if one.breaker is not BreakerState.CLOSED), default=0)
