"""One upstream as it stands now: lane, breaker, quotas and tempo, the From domains that it refuses, who is on trial.

`ways` keeps one for each upstream; `http` shows it through the properties. Nothing here waits or fails.
"""

from collections.abc import Mapping

from mailhaul_contract.digest import canonical_json, digest
from mailhaul_contract.quotas import Share
from mailhaul_contract.report import BreakerState, CredentialState, ProbeReport, QuotaReport, ReplyReport
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Verdict
from mailhaul_relay.model.secrets import Certificate, Credential
from mailhaul_relay.model.transmission import Transmission
from mailhaul_relay.policy.breaker import Breaker
from mailhaul_relay.policy.refusals import SenderRefusals, is_of_envelope
from mailhaul_relay.policy.rewriting import sender_domain
from mailhaul_relay.policy.routing import Spent, UpstreamView
from mailhaul_relay.policy.tempo import FULL, Tempo, can_slow, faster, resumed, slower
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.lane import Lane
from mailhaul_relay.queue.ledger import Ledger
from mailhaul_relay.smtpout.interface import Transport
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.telemetry.tally import reported

CLOSED = Breaker()
TRIAL_TIME = 15.0
"""Seconds after which mail that waits for another message's trial looks again."""


class Way:
    """One upstream. `on_trial` while one message, or a probe, tries it although its breaker is open; `probe` is what
    the last probe found, None before there was one. `before` is the way to the same server that it replaces.
    """

    def __init__(
        self,
        upstream: Upstream,
        logins: Logins,
        hostname: str,
        transport: Transport,
        clock: Clock,
        before: "Way | None" = None,
    ) -> None:
        self._clock = clock
        self.upstream = upstream
        self.logins = logins
        self.hostname = hostname
        self.probe: ProbeReport | None = None
        self.lane: Lane = Lane(upstream, transport, before.lane if before else None)
        self.ledger: Ledger | None = None
        """What is used of its quotas; None when it has none."""
        self.tempo = FULL
        self.current = CLOSED
        self.refusals = SenderRefusals()
        self.envelopes = SenderRefusals()
        """The domains of envelope senders that it refuses; "" is the null sender."""
        self.on_trial = False
        if before is not None and before.account == self.account:
            self._keep_to(resumed(before.tempo, before.upstream, upstream))
        self.opened = clock()
        self.last_accepted = 0.0
        """When it last took a message; a changed upstream is another way, so with the present settings."""

    def serves(
        self, upstream: Upstream, credential: Credential | None, identity: Certificate | None, hostname: str
    ) -> bool:
        """Whether it is made of this, with this current credential and client certificate; else a new one is needed.
        Quotas, which change with the number of replicas, and its place among the others do not count: `adopt` takes
        them.
        """
        if (self.logins.current, self.logins.access.identity, self.hostname) != (credential, identity, hostname):
            return False
        return self.upstream == upstream or _connected(self.upstream) == _connected(upstream)

    def leads_to(self, upstream: Upstream) -> bool:
        """Whether it leads to the same server, so that what it has under way is what this upstream has."""
        mine = self.upstream
        return (mine.name, mine.provider, mine.host, mine.port) == (
            upstream.name,
            upstream.provider,
            upstream.host,
            upstream.port,
        )

    @property
    def account(self) -> str:
        """Whom the provider knows; another password is the same account."""
        current = self.logins.current
        return current.username if current else ""

    def adopt(self, upstream: Upstream, ledger: Ledger | None) -> bool:
        """Go on with other quotas, or another place among the upstreams; True when they are others."""
        changed = self.upstream != upstream
        self.upstream, self.ledger = upstream, ledger
        return changed

    def permits(self, now: float) -> bool:
        """Whether a transmission may begin: the breaker is closed, or a trial is due and nobody is on one."""
        return self.current.permits(now) and not self.on_trial

    def takes(self, now: float, *, important: bool) -> bool:
        """Whether mail may begin there, and has a quota left."""
        return self.permits(now) and (self.ledger is None or self.ledger.spent(important=important) is None)

    @property
    def is_calm(self) -> bool:
        """Whether nothing is known against it: mail may go there whatever the time and the From."""
        breaker = self.current
        if breaker.fault is not Fault.NONE or breaker.strikes or self.on_trial:
            return False
        if self.refusals.domains or self.envelopes.domains:
            return False
        return self.tempo is FULL and (self.ledger is None or self.ledger.spent(important=False) is None)

    def view(
        self, now: float, *, tried: bool, busy_until: float = 0.0, crowding: frozenset[str] | None = None
    ) -> UpstreamView:
        """What routing needs to know."""
        spent = self.ledger.spent(important=False) if self.ledger else None
        return UpstreamView(
            permits=self.permits(now),
            next_attempt=now + TRIAL_TIME if self.on_trial else self.current.next_attempt,
            fault=self.current.fault,
            refused_senders=self.refusals.refused(now),
            refused_envelopes=self.envelopes.refused(now),
            tried=tried,
            busy_until=busy_until,
            crowding=crowding,
            spent=spent,
            spent_for_important=self.ledger.spent(important=True) if self.ledger and spent else None,
        )

    def hear(self, transmission: Transmission, outcomes: tuple[Outcome, ...], now: float) -> bool:
        """Note whether it refuses the From of a transmission, or its envelope sender; True when it takes again what it
        refused before.
        """
        domain, sender = transmission.from_domain, sender_domain(transmission.sender)
        self.envelopes = self.envelopes.recent(now)
        froms, envelopes = self.refusals.domains, self.envelopes.domains
        for outcome in outcomes:
            of_envelope = sender != domain and is_of_envelope(outcome)
            if not of_envelope:
                self.refusals = self.refusals.after(domain, outcome, now)
            if of_envelope or outcome.verdict is Verdict.DELIVERED:
                self.envelopes = self.envelopes.after(sender, outcome, now)
        return (domain in froms and domain not in self.refusals.domains) or (
            sender in envelopes and sender not in self.envelopes.domains
        )

    def slow_down(self, began: float, now: float) -> bool:
        """Use less of it, for it asked for that in reply to what began at a time; False when less is not possible."""
        if not can_slow(self.tempo, self.upstream, began):
            return False
        self._keep_to(slower(self.tempo, self.upstream, began, now))
        return True

    def speed_up(self, now: float) -> bool:
        """Use more of it again, if it has been quiet for long enough; True when it is more now."""
        before = self.tempo
        self._keep_to(faster(before, now))
        return self.tempo is not before

    def _keep_to(self, tempo: Tempo) -> None:
        self.tempo = FULL if tempo.is_full else tempo
        self.lane.keep_to(self.tempo)

    @property
    def fingerprint(self) -> str:
        """The settings on which it depends what is refused, as a digest. No credential is in it."""
        settings = _connected(self.upstream).model_dump(mode="json", by_alias=True)
        return digest(canonical_json({"hostname": self.hostname, "upstream": settings}))

    @property
    def name(self) -> str:
        """The handle of the upstream in this relay."""
        return self.upstream.name

    @property
    def breaker(self) -> BreakerState:
        """Whether it lets mail through; a quota that is used up keeps it out as an open breaker does."""
        state = self.current.state(self._clock())
        return BreakerState.OPEN if state is BreakerState.CLOSED and self._spent() else state

    @property
    def fault(self) -> str:
        """Why the breaker is not closed, "" when it is."""
        if self.current.fault is Fault.NONE:
            return Fault.QUOTA.value if self._spent() else ""
        return self.current.fault.value

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
        """When the next trial is due, or a quota gives something back."""
        spent = self._spent()
        return max(self.current.next_attempt, spent.until) if spent else self.current.next_attempt

    @property
    def quotas(self) -> tuple[QuotaReport, ...]:
        """What is used of its quotas."""
        return self.ledger.reports() if self.ledger else ()

    @property
    def pace(self) -> float:
        """The part of the configured connections and rate that is in use."""
        return self.tempo.level

    def _spent(self) -> Spent | None:
        return self.ledger.spent(important=False) if self.ledger else None

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
        return self.refusals.told(self._clock())

    @property
    def refused_sender_replies(self) -> Mapping[str, ReplyReport]:
        """What it said when it refused each of these domains."""
        said = {domain: reported(one) for domain, one in self.refusals.said(self._clock()).items()}
        return {domain: one for domain, one in said.items() if one}


def _connected(upstream: Upstream) -> Upstream:
    """What its connections and its breaker are of: all but its quotas, and when it is tried."""
    return upstream.model_copy(update={"quotas": (), "share": _WHOLE, "priority": 0, "weight": 1})


_WHOLE = Share()
