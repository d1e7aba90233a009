"""Readings of a made-up relay, for tests of what its endpoints show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.report import (
    BreakerState,
    CredentialState,
    ListenerReport,
    ProbeReport,
    QuotaReport,
    ReplyReport,
)
from mailhaul_relay.http.readings import Identity, Readings
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.spool.interface import Counts
from mailhaul_relay.telemetry.tally import Tally

NOW = 1_790_000_000.0


@dataclass(frozen=True)
class FakeUpstream:
    """An upstream's state as a test wants it."""

    name: str
    breaker: BreakerState = BreakerState.CLOSED
    fault: str = ""
    since: float = 0.0
    next_attempt: float = 0.0
    refused_senders: frozenset[str] = field(default_factory=frozenset)
    credential: CredentialState = CredentialState.UNPROVED
    credential_reply: ReplyReport | None = None
    probe: ProbeReport | None = None
    last_accepted: float = 0.0
    quotas: tuple[QuotaReport, ...] = ()
    pace: float = 1.0
    fault_text: str = ""
    opened: float = 0.0
    refused_sender_replies: Mapping[str, ReplyReport] = field(default_factory=dict)


def relay_config(**changes: Any) -> RelayConfig:  # noqa: ANN401 - any part of the configuration
    """A configuration with two upstreams and a route."""
    document = {
        "contractVersion": 1,
        "relay": {"namespace": "mail", "name": "relay"},
        "hostname": "relay.example.com",
        "listeners": [{"name": "smtp", "port": 2525}],
        "upstreams": [
            {"name": "primary", "provider": "mailtrap", "host": "live.example.net"},
            {"name": "backup", "provider": "inbox", "kind": "Capture"},
        ],
        "routes": [{"name": "billing", "match": {"senderDomains": ["pay.example.com"]}, "upstreams": ["backup"]}],
    }
    return RelayConfig.from_json(document | changes)


def busy_tally() -> Tally:
    """A tally of a relay that has seen everything once."""
    tally = Tally(accepted=7, accepted_bytes=7000, delivered=5, failed=1, bounces=1, dropped=1)
    tally.refused["550 5.7.1"] += 2
    tally.sessions_refused["connections"] += 1
    tally.reloads["applied"] += 1
    tally.accept_time.observe(0.007)
    primary = tally.upstream("primary")
    primary.delivered, primary.deferred, primary.last_delivery = 4, 2, NOW - 5
    primary.faults["auth"] += 3
    primary.delivery_time.observe(0.2)
    primary.delivery_time.observe(100_000.0)
    refused = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "", "authentication failed"))
    primary.last = (refused, NOW - 5)
    tally.upstream("gone-since-a-reload").delivered = 1
    tally.route("gone-since-a-reload")["held"] += 2
    tally.alias("shop/sales").forwarded = 3
    tally.delivered_last_day.add(NOW, 5)
    tally.delivered_last_day.add(NOW - 90_000, 9)
    tally.last_delivery, tally.last_delivery_upstream = NOW - 5, "primary"
    return tally


def readings(tally: Tally | None = None, not_accepting: str = "") -> Readings:
    """One moment of that relay; the breaker of `primary` is open."""
    primary = FakeUpstream(
        "primary",
        BreakerState.OPEN,
        "auth",
        NOW - 60,
        NOW + 240,
        frozenset({"b.example", "a.example"}),
        quotas=(QuotaReport(period="Day", counts="Messages", used=7, limit=100, reset=NOW + 600, full=NOW + 60),),
        pace=0.5,
    )
    return Readings(
        config=relay_config(),
        identity=Identity(4711, NOW - 1000, "0.1.0", "sha256:feed", "rev1"),
        tally=busy_tally() if tally is None else tally,
        counts=Counts(queued=1, deferred=2, held=3, dead=4, quarantined=5, oldest=NOW - 50),
        upstreams=(primary, FakeUpstream("backup")),
        listeners=(ListenerReport(name="smtp", host="127.0.0.1", port=2525),),
        not_accepting=not_accepting,
        now=NOW,
    )
