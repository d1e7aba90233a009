"""What the operator reports of an UpstreamProvider: does it take our mail, seen from every relay that uses it."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import Name, ObjectName
from mailhaul_contract.report import BreakerState
from mailhaul_operator.api.conditions import Conditions
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.part import Observed
from mailhaul_operator.api.provider_quotas import QuotaStatus


class ProviderRelayStatus(Observed):
    """The provider as one relay sees it."""

    namespace: Name
    """Namespace of the relay."""
    name: ObjectName
    """Name of the relay."""
    breaker: BreakerState = BreakerState.CLOSED
    """Closed lets mail through, Open none, HalfOpen one message as a trial."""
    conditions: Conditions = ()
    """Conditions of the provider from this relay."""


class LastProbe(Observed):
    """The last probe that was asked for: neither a restarted pod nor a restarted operator is a reason for another."""

    time: datetime
    """When it was asked for."""
    namespace: Name
    """Namespace of the relay that made it."""
    relay: ObjectName
    """Name of the relay that made it."""
    generation: Annotated[int, Field(ge=0)] = 0
    """The generation of this resource that was probed."""
    revision: Annotated[str, Field(max_length=64)] = ""
    """The revision of the credentials that was probed; it tells nothing of them."""


class LastReply(Observed):
    """What the provider answered last, in its own words."""

    time: datetime
    """When it came."""
    code: Annotated[int, Field(ge=0, le=599)] = 0
    """SMTP reply code; 0 when there was no reply."""
    text: Annotated[str, Field(max_length=1024)] = ""
    """The reply, or what happened in place of one."""
    stage: Annotated[str, Field(max_length=32)] = ""
    """Where in the conversation it came."""
    remedy: Annotated[str, Field(max_length=1024)] = ""
    """What to do; empty when all is well."""


class UpstreamProviderStatus(Observed):
    """What is so, measured. Written by the operator."""

    observed_generation: Annotated[int, Field(ge=-1)] = 0
    """The generation that was assessed last; -1 before the first time."""
    endpoint: Annotated[str, Field(max_length=320)] = ""
    """Host and port in use, the profile's where spec names none."""
    breaker: BreakerState | None = None
    """The worst of all relays: Closed lets mail through, Open none, HalfOpen one message as a trial."""
    quotas: Annotated[tuple[QuotaStatus, ...], Field(max_length=3), MapBy(("period",))] = ()
    """What is used of the quotas."""
    last_probe: LastProbe | None = None
    """The last probe."""
    last_reply: LastReply | None = None
    """What the provider answered last."""
    relays: Annotated[tuple[ProviderRelayStatus, ...], Field(max_length=256), MapBy(("namespace", "name"))] = ()
    """The relays that send through this provider."""
    conditions: Conditions = ()
    """Ready, CredentialsReady, Reachable, TLSVerified, Authenticated, SenderAccepted, QuotaSufficient if there are
    quotas; Reconciling, Stalled while true."""
