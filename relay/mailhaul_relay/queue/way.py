"""One upstream as it stands now: its lane, its breaker, the From domains that it refuses, and who is on trial.

`ways` keeps one for each upstream; `http` shows it through the properties. Nothing here waits or fails.
"""

from collections.abc import Mapping

from mailhaul_contract.report import BreakerState, CredentialState, ProbeReport, ReplyReport
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.policy.breaker import Breaker
from mailhaul_relay.policy.refusals import SenderRefusals
from mailhaul_relay.policy.routing import UpstreamView
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.lane import Lane
from mailhaul_relay.smtpout.interface import Transport
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.telemetry.tally import reported

CLOSED = Breaker()
TRIAL_TIME = 15.0
"""Seconds after which mail that waits for another message's trial looks again."""


class Way:
    """One upstream. `on_trial` while one message, or a probe, tries it although its breaker is open; `probe` is what
    the last probe found, None before there was one.
    """

    def __init__(self, upstream: Upstream, logins: Logins, hostname: str, transport: Transport, clock: Clock) -> None:
        self._clock = clock
        self.upstream = upstream
        self.logins = logins
        self.hostname = hostname
        self.probe: ProbeReport | None = None
        self.lane = Lane(upstream, transport)
        self.current = CLOSED
        self.refusals = SenderRefusals()
        self.on_trial = False
        self.opened = clock()
        self.last_accepted = 0.0
        """When it last took a message; a changed upstream is another way, so with the present settings."""

    def serves(self, upstream: Upstream, credential: Credential | None, hostname: str) -> bool:
        """Whether it is made of exactly this, with this current credential; else a new one is needed."""
        return (self.upstream, self.logins.current, self.hostname) == (upstream, credential, hostname)

    def permits(self, now: float) -> bool:
        """Whether a transmission may begin: the breaker is closed, or a trial is due and nobody is on one."""
        return self.current.permits(now) and not self.on_trial

    @property
    def is_calm(self) -> bool:
        """Whether nothing is known against it: mail may go there whatever the time and the From."""
        breaker = self.current
        return breaker.fault is Fault.NONE and not breaker.strikes and not self.on_trial and not self.refusals.domains

    def view(self, now: float, *, tried: bool, busy_until: float = 0.0) -> UpstreamView:
        """What routing needs to know."""
        return UpstreamView(
            permits=self.permits(now),
            next_attempt=now + TRIAL_TIME if self.on_trial else self.current.next_attempt,
            fault=self.current.fault,
            refused_senders=self.refusals.refused(now),
            tried=tried,
            busy_until=busy_until,
        )

    @property
    def name(self) -> str:
        """The handle of the upstream in this relay."""
        return self.upstream.name

    @property
    def breaker(self) -> BreakerState:
        """Whether it lets mail through."""
        return self.current.state(self._clock())

    @property
    def fault(self) -> str:
        """Why the breaker is not closed, "" when it is."""
        return "" if self.current.fault is Fault.NONE else self.current.fault.value

    @property
    def fault_text(self) -> str:
        """The upstream's words that opened the breaker, "" when it is closed."""
        return self.current.text if self.current.is_open else ""

    @property
    def since(self) -> float:
        """When the breaker opened, epoch seconds, 0 when it is closed."""
        return self.current.since

    @property
    def next_attempt(self) -> float:
        """When the next trial is due."""
        return self.current.next_attempt

    @property
    def credential(self) -> CredentialState:
        """What is known of the current credential."""
        return self.logins.standing.state

    @property
    def credential_reply(self) -> ReplyReport | None:
        """What refused the current credential."""
        standing = self.logins.standing
        return reported((standing.refusal, standing.refused_at)) if standing.refusal else None

    @property
    def refused_senders(self) -> frozenset[str]:
        """The From domains that it refuses now."""
        return self.refusals.refused(self._clock())

    @property
    def refused_sender_replies(self) -> Mapping[str, ReplyReport]:
        """What it said when it refused each of these domains."""
        said = {domain: reported(one) for domain, one in self.refusals.said(self._clock()).items()}
        return {domain: one for domain, one in said.items() if one}
