"""`MailAlias`: addresses of a relay's domain that lead to mailboxes elsewhere.

The forms of an address are those of `mailhaul_contract.config.Alias`; conflicts between aliases are found by the plan.
Failures: see `part`.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mailhaul_contract.base import Name
from mailhaul_contract.forwarding import AliasType
from mailhaul_operator.api.alias_forms import FORM_RULES, normal_pattern
from mailhaul_operator.api.conditions import Conditions
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.metadata import ObjectMeta
from mailhaul_operator.api.part import Observed, Part
from mailhaul_operator.api.rules import Rule, Transition
from mailhaul_operator.api.text import MailAddress


class RelayRef(Part):
    """A relay, which must consent when it is in another namespace (spec.aliases.domains of the SmtpRelay)."""

    namespace: Name | None = None
    """Namespace of the relay; the alias's own by default."""
    name: Annotated[str, Field(min_length=1, max_length=42, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the SmtpRelay."""


class AliasAddress(Part):
    """One address, or a pattern of addresses."""

    RULES: ClassVar[tuple[Rule, ...]] = FORM_RULES

    type: AliasType = AliasType.EXACT
    """Exact, SubAddress (also user+anything), Wildcard (a star in the local part) or CatchAll (every other address)."""
    value: Annotated[str, Field(min_length=3, max_length=254)]
    """user@example.com for Exact and SubAddress, prefix-*@example.com for Wildcard, *@example.com for CatchAll."""

    @property
    def normal(self) -> str:
        """The value in normal form, as the contract has it."""
        return normal_pattern(self.type, self.value)


class AliasMailbox(Part):
    """A mailbox anywhere."""

    address: MailAddress
    """Its address."""


class Destination(Part):
    """Where mail goes; exactly one kind of destination each."""

    name: Name
    """Handle within this alias."""
    mailbox: AliasMailbox
    """A mailbox anywhere."""


def _same_relay(old: Any, new: Any) -> bool:  # noqa: ANN401 - two MailAliasSpecs, defined below
    return bool(old.relay_ref == new.relay_ref)


class MailAliasSpec(Part):
    """What is wanted."""

    TRANSITIONS: ClassVar[tuple[Transition, ...]] = (
        Transition(
            "relayRef cannot be changed; delete this alias and create it again for the other relay",
            "self.relayRef.name == oldSelf.relayRef.name"
            " && has(self.relayRef.__namespace__) == has(oldSelf.relayRef.__namespace__)"
            " && (!has(self.relayRef.__namespace__) || self.relayRef.__namespace__ == oldSelf.relayRef.__namespace__)",
            _same_relay,
            field="relayRef",
        ),
    )

    relay_ref: RelayRef
    """The relay that takes mail for these addresses. Cannot be changed."""
    addresses: Annotated[tuple[AliasAddress, ...], Field(min_length=1, max_length=100), MapBy(("type", "value"))]
    """The addresses; mail to any of them goes to every destination."""
    destinations: Annotated[tuple[Destination, ...], Field(min_length=1, max_length=100), MapBy(("name",))]
    """Where it goes. A mailbox that is reached by several ways gets one copy."""


class AliasCount(Observed):
    """A count since the relay's replicas started."""

    total: Annotated[int, Field(ge=0)] = 0
    """Number of copies, one for each mailbox."""


class MailAliasStatus(Observed):
    """What is so, measured. Written by the operator."""

    observed_generation: Annotated[int, Field(ge=-1)] = 0
    """The generation that was assessed last; -1 before the first time."""
    resolved: Annotated[tuple[Annotated[str, Field(max_length=320)], ...], Field(max_length=256)] = ()
    """The mailboxes to which its mail goes in the end, the first 256."""
    forwarded: AliasCount | None = None
    """Copies that an upstream took."""
    failed: AliasCount | None = None
    """Copies that failed for good."""
    conditions: Conditions = ()
    """Ready, Accepted, Conflicted; Reconciling, Stalled while true."""


class MailAlias(Part):
    """Addresses of a relay's domain that lead to mailboxes elsewhere."""

    api_version: Literal["mailhaul.dev/v1alpha1"]
    kind: Literal["MailAlias"]
    metadata: ObjectMeta
    spec: MailAliasSpec
    status: MailAliasStatus | None = None

    @property
    def relay(self) -> tuple[str, str]:
        """Namespace and name of its relay."""
        reference = self.spec.relay_ref
        return reference.namespace or self.metadata.namespace, reference.name
