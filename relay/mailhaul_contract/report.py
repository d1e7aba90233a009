"""`RelayReport`: what a relay process says of itself at `GET /v1/report`.

The relay writes it, the operator's `assess` and `mailhaul status` read it. Times are seconds since the epoch,
counts are since the start of the process unless they say otherwise. It never holds a credential or a message.
Readers ignore fields that they do not know: a newer relay may report to an older operator.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from mailhaul_contract.base import Frozen
from mailhaul_contract.config import CONTRACT_VERSION


class Reported(Frozen):
    """A part of the report: frozen as the contract is, but open to fields that come later."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class BreakerState(StrEnum):
    """Closed lets mail through, Open none, HalfOpen one message as a trial."""

    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"


class ReplyReport(Reported):
    """The last reply or fault of an upstream, in its own words. `stage` is where in the conversation it came."""

    time: float
    code: int = 0
    enhanced: str = ""
    text: str = ""
    stage: str = ""
    fault: str = ""
    remedy: str = ""


class ProbeStage(StrEnum):
    """The stages of a probe, in order. A probe sends no mail: `Sender` is MAIL FROM and RSET."""

    CONNECT = "Connect"
    TLS = "TLS"
    EHLO = "EHLO"
    AUTH = "Auth"
    SENDER = "Sender"


class StageReport(Reported):
    """What came of one stage; a stage that was not reached, or is not asked for, is left out."""

    stage: ProbeStage
    passed: bool
    reply: ReplyReport | None = None


class ProbeReport(Reported):
    """The last probe of an upstream with the settings that run now; a change of its settings or credential drops it."""

    time: float
    stages: tuple[StageReport, ...] = ()


class CredentialState(StrEnum):
    """What is known of the current credential: not tried yet, taken, or refused; `Previous` means that the current
    one was refused and the one before it is taken.
    """

    UNPROVED = "Unproved"
    PROVED = "Proved"
    REFUSED = "Refused"
    PREVIOUS = "Previous"


class QuotaReport(Reported):
    """One quota as this replica counts it: `used` of its own part, `limit`. `reset` is when it gives something back, 0
    when nothing is used; `full` when it is used up at the present rate, 0 when that is not before the reset. `told`:
    the provider itself says that it is used up. `trial_end` is when a trial ends, 0 for never. `under_way` is what may
    be used by transmissions that have begun.
    """

    period: str
    counts: str
    used: int = 0
    under_way: int = 0
    limit: int = 0
    reset: float = 0
    full: float = 0
    told: bool = False
    trial_end: float = 0


class UpstreamReport(Reported):
    """One upstream. `opened` is since when its settings and credential run in this process, 0 when that is not told.
    `breaker_text` is what opened the breaker, kept over a restart. `refused_senders` are the From domains that it
    refuses now, `refused_sender_replies` what it said of the first of them, by domain. `credential_reply` is the reply
    that refused the current credential. `last_delivery` may be with settings or a credential of before;
    `last_accepted` is when it last took a message with those that run now, 0 when it has not yet. `pace` is the part of
    the configured connections and rate that is used, less than 1 after the provider asked for less.
    """

    name: str
    provider: str
    endpoint: str = ""
    breaker: BreakerState = BreakerState.CLOSED
    opened: float = 0
    breaker_fault: str = ""
    breaker_text: str = ""
    breaker_since: float = 0
    next_attempt: float = 0
    refused_senders: tuple[str, ...] = ()
    refused_sender_replies: Mapping[str, ReplyReport] = Field(default_factory=dict)
    connections: int = 0
    delivered: int = 0
    deferred: int = 0
    held: int = 0
    failed: int = 0
    unknown: int = 0
    last_delivery: float = 0
    last_accepted: float = 0
    last_reply: ReplyReport | None = None
    credential: CredentialState = CredentialState.UNPROVED
    credential_reply: ReplyReport | None = None
    probe: ProbeReport | None = None
    quotas: tuple[QuotaReport, ...] = ()
    pace: float = 1


class QueueReport(Reported):
    """Messages by state. `on_hold` are those of `held` that a person holds. `oldest` is when the oldest of those that
    wait, and that nobody holds, was accepted; 0 when none does.
    """

    queued: int = 0
    deferred: int = 0
    held: int = 0
    dead: int = 0
    quarantined: int = 0
    oldest: float = 0
    on_hold: int = 0


class RouteReport(Reported):
    """A route of the configuration that runs, and the upstreams that its mail may take; without any its mail waits."""

    name: str
    upstreams: tuple[str, ...] = ()


class AliasReport(Reported):
    """What one MailAlias did."""

    namespace: str
    name: str
    forwarded: int = 0
    failed: int = 0


class RefusedConfig(Reported):
    """A configuration that the relay would not take, and why; the last good one runs on."""

    digest: str
    time: float
    reasons: tuple[str, ...]


class ListenerReport(Reported):
    """A port that accepts mail."""

    name: str
    host: str
    port: int


class RelayReport(Reported):
    """Everything that the operator needs to know of one relay process."""

    contract_versions: tuple[int, ...] = (CONTRACT_VERSION,)
    kind: Literal["RelayReport"] = "RelayReport"
    namespace: str
    name: str
    pid: int
    started: float
    time: float
    digest: str
    secret_revision: str = ""
    awaiting_secret_revision: str = ""
    awaiting_reason: str = ""
    """Why a newer configuration waits: what of it is not mounted yet; the last good one runs on."""
    refused_config: RefusedConfig | None = None
    accepting: bool
    not_accepting_reason: str = ""
    draining: bool = False
    suppressed: int = 0
    """Recipients that are refused now since they failed before, or a person said so."""
    listeners: tuple[ListenerReport, ...] = ()
    queue: QueueReport = QueueReport()
    upstreams: tuple[UpstreamReport, ...] = ()
    routes: tuple[RouteReport, ...] = ()
    aliases: tuple[AliasReport, ...] = ()
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    delivered_last_day: int = 0
    failed_last_day: int = 0
    client_identity_lost: int = 0
    last_delivery: float = 0
    last_delivery_upstream: str = ""
    last_error: ReplyReport | None = None
    last_error_upstream: str = ""
