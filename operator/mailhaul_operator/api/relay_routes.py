"""The part of an SmtpRelay that decides which mail takes which upstreams.

Failures: see `part`. That a route names upstreams which exist is found by the plan.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from mailhaul_contract.base import Name
from mailhaul_contract.listening import normal_network
from mailhaul_contract.routes import HEADER_NAME_PATTERN, OnHold, normal_domain_pattern
from mailhaul_contract.senders import Account
from mailhaul_operator.api.amounts import Duration
from mailhaul_operator.api.lists import SetOf
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule, accepted_by
from mailhaul_operator.api.text import DOMAIN_PATTERN, NETWORK_RULE, matches

DOMAINS_RULE = Rule(
    "not a domain name; write it like example.com, or *.example.com for every domain below it",
    matches(rf"(\*\.)?{DOMAIN_PATTERN}"),
    accepted_by(normal_domain_pattern),
)
DomainText = Annotated[str, Field(min_length=1, max_length=255), DOMAINS_RULE, AfterValidator(normal_domain_pattern)]
Domains = Annotated[tuple[DomainText, ...], Field(max_length=32), SetOf()]
"""The API server bounds what checking all of a list in a list may cost."""
AnyNetwork = Annotated[str, Field(min_length=2, max_length=49), NETWORK_RULE, AfterValidator(normal_network)]


class RouteHeader(Part):
    """A header field that the message has. Case does not count, encoded words are decoded."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "value and contains are both set; keep the one that the field is to be compared by",
            "!has(self.value) || self.value == '' || !has(self.contains) || self.contains == ''",
            lambda header: not (header.value and header.contains),
            field="contains",
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=HEADER_NAME_PATTERN)]
    """Name of the field."""
    value: Annotated[str, Field(max_length=256)] = ""
    """What it says, with * for any text. With neither value nor contains, the field need only be there."""
    contains: Annotated[str, Field(max_length=256)] = ""
    """A part of what it says; here * is a star."""


class RouteMatch(Part):
    """Which mail takes the route: all that is set must hold, of a list one entry. With nothing set, all mail."""

    sender_domains: Domains = ()
    """Domains of the author in From. `*.example.com` is every domain below example.com."""
    recipient_domains: Domains = ()
    """Domains to which the mail goes, aliases followed."""
    accounts: Annotated[tuple[Account, ...], Field(max_length=64), SetOf()] = ()
    """Accounts that clients logged in as."""
    client_networks: Annotated[tuple[AnyNetwork, ...], Field(max_length=64), SetOf()] = ()
    """Networks of clients."""
    header: RouteHeader | None = None
    """A header field that the message has."""


class RelayRoute(Part):
    """Which upstreams some mail takes, and what becomes of it while they do not take it."""

    name: Name
    """Handle of the route, for logs, metrics and refusals."""
    match: RouteMatch = RouteMatch()
    """Which mail takes it."""
    upstreams: Annotated[tuple[Name, ...], Field(min_length=1, max_length=16), SetOf()] | None = None
    """Names of the upstreams that it may take, in the order of their priorities and weights; absent for all."""
    important: bool = False
    """Its mail may spend what the quotas of providers reserve."""
    expire_after: Annotated[int, Duration("1m", "720h")] | None = None
    """Its mail becomes a dead letter so long after it was accepted; absent for queue.expireAfter."""
    on_hold: OnHold = OnHold.HOLD
    """What new mail meets while all its upstreams would hold it (quota spent, credential refused): it is accepted and
    held (Hold), or the client is told to come again later (Defer)."""


def _names_differ(routes: Sequence[RelayRoute]) -> bool:
    return len({one.name for one in routes}) == len(routes)


Routes = Annotated[
    tuple[RelayRoute, ...],
    Field(max_length=32),
    Rule(
        "two routes have the same name; give each its own",
        "self.all(a, self.exists_one(b, a.name == b.name))",
        _names_differ,
    ),
]
"""The routes of a relay: their order is their meaning, the first that fits counts."""
