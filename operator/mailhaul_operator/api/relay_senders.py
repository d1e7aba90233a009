"""The part of an SmtpRelay about authors: whose From is whose, what becomes of the others, who gets a copy.

Failures: see `part`.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from mailhaul_contract.base import Name
from mailhaul_operator.api.lists import SetOf
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import DomainName, MailAddress, NetworkText, OptionalMailAddress

Domains = Annotated[tuple[DomainName, ...], Field(max_length=256), SetOf()]
FewDomains = Annotated[tuple[DomainName, ...], Field(max_length=32), SetOf()]
"""The API server bounds what checking all of a list in a list may cost."""
AccountName = Annotated[str, Field(min_length=1, max_length=255)]


class SenderRule(Part):
    """What holds for some clients in place of the relay's own domains, defaultFrom and forcedFrom."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "the rule is for nobody; name networks or accounts, and put what holds for all others into senders itself",
            "(has(self.networks) && size(self.networks) > 0) || (has(self.accounts) && size(self.accounts) > 0)",
            lambda rule: bool(rule.networks or rule.accounts),
            field="networks",
        ),
        Rule(
            "a rule with forcedFrom needs no defaultFrom; remove it",
            "!has(self.forcedFrom) || self.forcedFrom == '' || !has(self.defaultFrom) || self.defaultFrom == ''",
            lambda rule: not (rule.forced_from and rule.default_from),
            field="defaultFrom",
        ),
    )

    name: Name
    """Handle of the rule, for refusals."""
    networks: Annotated[tuple[NetworkText, ...], Field(max_length=64), SetOf()] = ()
    """Clients in these networks that did not log in."""
    accounts: Annotated[tuple[AccountName, ...], Field(max_length=256), SetOf()] = ()
    """Clients that logged in as one of these."""
    domains: FewDomains = ()
    """The From domains that they may use; empty leaves it to the upstreams' own lists."""
    default_from: OptionalMailAddress = ""
    """The From of a message that has none."""
    forced_from: OptionalMailAddress = ""
    """The From, and envelope sender, of all of their mail; the author goes to Reply-To."""


def _names_differ(rules: Sequence[SenderRule]) -> bool:
    return len({one.name for one in rules}) == len(rules)


class RelaySenders(Part):
    """Who may be the author of mail through this relay."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "with forcedFrom no mail is without a From; remove defaultFrom",
            "!has(self.forcedFrom) || self.forcedFrom == '' || !has(self.defaultFrom) || self.defaultFrom == ''",
            lambda senders: not (senders.forced_from and senders.default_from),
            field="defaultFrom",
        ),
    )

    domains: Domains = ()
    """The From domains that trusted clients may use; empty leaves it to the upstreams' own lists."""
    default_from: OptionalMailAddress = ""
    """The From of a message that has none, which is refused otherwise."""
    forced_from: OptionalMailAddress = ""
    """The From, and envelope sender, of all mail of trusted clients; the author goes to Reply-To."""
    always_bcc: Annotated[tuple[MailAddress, ...], Field(max_length=10), SetOf()] = ()
    """Archives that get a copy of every mail of trusted clients."""
    rules: Annotated[
        tuple[SenderRule, ...],
        Field(max_length=32),
        Rule(
            "two rules have the same name; give each its own",
            "self.all(a, self.exists_one(b, a.name == b.name))",
            _names_differ,
        ),
    ] = ()
    """What holds for some clients in place of domains, defaultFrom and forcedFrom; the first that fits counts."""
