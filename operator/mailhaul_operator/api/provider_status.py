"""What the operator reports of an UpstreamProvider: does it take our mail, seen from every relay that uses it."""

from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import Name, ObjectName
from mailhaul_contract.report import BreakerState
from mailhaul_operator.api.conditions import Conditions
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.part import Observed


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


class UpstreamProviderStatus(Observed):
    """What is so, measured. Written by the operator."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation that was assessed last."""
    endpoint: Annotated[str, Field(max_length=320)] = ""
    """Host and port in use, the profile's where spec names none."""
    relays: Annotated[tuple[ProviderRelayStatus, ...], Field(max_length=256), MapBy(("namespace", "name"))] = ()
    """The relays that send through this provider."""
    conditions: Conditions = ()
    """Ready, CredentialsReady, Reachable, TLSVerified, Authenticated, SenderAccepted; Reconciling, Stalled if true."""
