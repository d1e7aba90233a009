"""The part of an SmtpRelay that decides which aliases it takes: own domains, consent, SRS."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from mailhaul_contract.forwarding import FromRewriting
from mailhaul_operator.api.labels import LabelValue
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.metadata import SecretKeyRef
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import DomainName


class From(StrEnum):
    """Which namespaces may have aliases."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


class LabelSelector(Part):
    """Selects namespaces by their labels."""

    match_labels: Annotated[Mapping[str, LabelValue], Field(min_length=1, max_length=16)]
    """Every one of these labels must be there."""


class AliasNamespaces(Part):
    """Consent to aliases of other namespaces."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "from and selector do not fit; give a selector exactly when from is Selector",
            "(has(self.from) && self.from == 'Selector') == has(self.selector)",
            lambda consent: (consent.from_ is From.SELECTOR) == (consent.selector is not None),
            field="selector",
        ),
    )

    from_: Annotated[From, Field(alias="from")] = From.SAME
    """Same (the relay's own namespace), All, or Selector."""
    selector: LabelSelector | None = None
    """The labels of the namespaces, for Selector."""


class AliasDomain(Part):
    """A domain whose mail this relay takes for aliases."""

    name: DomainName
    """The domain."""
    namespaces: AliasNamespaces = AliasNamespaces()
    """Which namespaces may have aliases in it."""


class RelaySrs(Part):
    """Sender Rewriting Scheme: lets forwards pass SPF, and brings their bounces back."""

    domain: DomainName
    """Domain of the rewritten senders; its MX must lead to this relay."""
    secret_ref: SecretKeyRef
    """The key that signs, one a line: the first signs, all verify."""


class RelayAliases(Part):
    """Own domains and how their mail is forwarded."""

    domains: Annotated[tuple[AliasDomain, ...], Field(max_length=256), MapBy(("name",))] = ()
    """The domains whose mail this relay takes for aliases, from anybody."""
    srs: RelaySrs | None = None
    """Rewrites the envelope sender of forwards."""
    from_rewriting: FromRewriting = FromRewriting.AUTOMATIC
    """Whether a forward's From may be rewritten for upstreams that would replace or refuse it: Automatic or Never."""
