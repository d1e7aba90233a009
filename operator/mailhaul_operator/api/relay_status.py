"""What the operator reports of an SmtpRelay: does mail leave, and if not, why."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import Name
from mailhaul_operator.api.conditions import Conditions
from mailhaul_operator.api.part import Observed

Count = Annotated[int, Field(ge=0)]
"""A number of things."""


class ConfigStatus(Observed):
    """The configuration that was planned, and who runs it."""

    digest: Annotated[str, Field(max_length=80)] = ""
    """SHA-256 of the configuration."""
    applied_replicas: Count = 0
    """How many replicas report it."""


class QueueStatus(Observed):
    """Messages that wait, by state."""

    waiting: Count = 0
    """All that have not left: queued, deferred and held."""
    queued: Count = 0
    """To be tried now."""
    deferred: Count = 0
    """To be tried again later."""
    held: Count = 0
    """Held by a fault of every upstream; they leave when it is mended."""
    dead: Count = 0
    """Failed for good, kept for a person."""
    oldest_time: datetime | None = None
    """When the oldest that waits was accepted."""


class TotalStatus(Observed):
    """A count since the start and of the last day."""

    total: Count = 0
    """Since the replicas started."""
    last_day: Count = 0
    """In the last 24 hours, kept over restarts; of an Ephemeral queue since its pod began, at most."""


class LastDelivery(Observed):
    """The last delivery."""

    time: datetime
    """When the provider accepted it."""
    upstream: Name
    """Through which upstream."""


class LastError(Observed):
    """The last refusal or fault of an upstream, in its own words."""

    time: datetime
    """When it came."""
    upstream: Name
    """From which upstream."""
    code: Annotated[int, Field(ge=0, le=599)] = 0
    """SMTP reply code; 0 when there was no reply."""
    text: Annotated[str, Field(max_length=1024)] = ""
    """The reply."""
    remedy: Annotated[str, Field(max_length=1024)] = ""
    """What to do."""


class SmtpRelayStatus(Observed):
    """What is so, measured. Written by the operator."""

    observed_generation: Annotated[int, Field(ge=-1)] = 0
    """The generation that was assessed last; -1 before the first time."""
    replicas: Count = 0
    """Number of replicas that exist."""
    ready_replicas: Count = 0
    """Number of replicas that accept mail."""
    selector: Annotated[str, Field(max_length=1024)] = ""
    """Label selector of the replicas, for autoscalers."""
    address: Annotated[str, Field(max_length=320)] = ""
    """Host and port that apps send to."""
    upstream: Annotated[str, Field(max_length=63)] = ""
    """The upstream that mail goes to now; empty when there is none."""
    config: ConfigStatus | None = None
    """The configuration that was planned, and who runs it."""
    queue: QueueStatus | None = None
    """Messages that wait."""
    delivered: TotalStatus | None = None
    """Messages that a provider accepted."""
    failed: TotalStatus | None = None
    """Messages that failed for good."""
    last_delivery: LastDelivery | None = None
    """The last delivery."""
    last_error: LastError | None = None
    """The last refusal or fault of an upstream."""
    conditions: Conditions = ()
    """Ready, ConfigApplied, UpstreamsReady, Delivering, QueueHealthy, QueueDurable; Reconciling, Stalled while true."""
