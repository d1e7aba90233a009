"""What the endpoints show, gathered by `app` in one value, and the seam to the upstreams' breakers.

`report` and `exposition` turn it into JSON and metrics. Nothing here decides or waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.report import (
    BreakerState,
    CredentialState,
    ListenerReport,
    ProbeReport,
    QuotaReport,
    RefusedConfig,
    ReplyReport,
)
from mailhaul_relay.spool.interface import Counts
from mailhaul_relay.telemetry.tally import Tally


class UpstreamState(Protocol):
    """One upstream as `queue` sees it now. Times in epoch seconds, 0 when there is none."""

    @property
    def name(self) -> str:
        """The handle of the upstream in this relay."""

    @property
    def breaker(self) -> BreakerState:
        """Whether it lets mail through."""

    @property
    def fault(self) -> str:
        """Why the breaker is not closed (a `Fault`), "" when it is."""

    @property
    def fault_text(self) -> str:
        """The words that opened the breaker, "" when it is closed."""

    @property
    def opened(self) -> float:
        """When its present settings and credential came into use in this process."""

    @property
    def since(self) -> float:
        """When the breaker opened."""

    @property
    def next_attempt(self) -> float:
        """When the next trial is allowed."""

    @property
    def refused_senders(self) -> frozenset[str]:
        """The From domains that it refuses now."""

    @property
    def refused_sender_replies(self) -> Mapping[str, ReplyReport]:
        """What it said of each of them, where it said something."""

    @property
    def credential(self) -> CredentialState:
        """What is known of its current credential."""

    @property
    def credential_reply(self) -> ReplyReport | None:
        """What refused the current credential."""

    @property
    def last_accepted(self) -> float:
        """When it last took a message with the settings and the credential that run now."""

    @property
    def probe(self) -> ProbeReport | None:
        """What the last probe found."""

    @property
    def quotas(self) -> tuple[QuotaReport, ...]:
        """What is used of its quotas."""

    @property
    def pace(self) -> float:
        """The part of the configured connections and rate that is in use."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the process is and runs: `digest` of the configuration in use, `secret_revision` of the secrets in use,
    `awaiting` the revision that it waits for ("" when none), `awaiting_reason` everything that it waits for.
    """

    pid: int
    started: float
    version: str
    digest: str
    secret_revision: str = ""
    awaiting: str = ""
    awaiting_reason: str = ""
    refused: RefusedConfig | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """One moment of a relay. `not_accepting` is the reason why it takes no mail, "" when it does; `draining` tells that
    it was asked to take none. `suppressed` counts the recipients that are refused now, `suppressions` how many failures
    made so since the start.
    """

    config: RelayConfig
    identity: Identity
    tally: Tally
    counts: Counts
    upstreams: Sequence[UpstreamState]
    listeners: tuple[ListenerReport, ...]
    not_accepting: str
    now: float
    log_dropped: int = 0
    draining: bool = False
    suppressed: int = 0
    suppressions: int = 0
