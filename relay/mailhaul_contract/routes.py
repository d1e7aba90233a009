"""Routes: which mail takes which upstreams, and what becomes of it while they do not take it; part of `RelayConfig`.

Written by the operator's `plan.routes`, interpreted by `policy.routes` at each attempt: nothing of a route is stored
with mail, so a new configuration routes what waits anew. Durations are whole seconds. A wrong value is refused with its
path.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mailhaul_contract.base import Frozen, Name
from mailhaul_contract.domains import normal_domain
from mailhaul_contract.listening import Network
from mailhaul_contract.senders import Account

ANY_BELOW = "*."
"""Begins a domain pattern that stands for every domain below another, whatever the depth, and not for that one."""


def normal_domain_pattern(text: str) -> str:
    """Give the normal form of a domain or of a pattern such as `*.example.com`; raises ValueError."""
    below = ANY_BELOW if text.startswith(ANY_BELOW) else ""
    return below + normal_domain(text.removeprefix(below))


def covers(pattern: str, domain: str) -> bool:
    """Whether a pattern stands for a domain; both in normal form."""
    return domain.endswith(pattern[1:]) if pattern.startswith(ANY_BELOW) else domain == pattern


DomainPattern = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(normal_domain_pattern)]
HEADER_NAME_PATTERN = r"^[!-9;-~]{1,64}$"
"""A field name (RFC 5322 section 3.6.8): printable ASCII but for the colon."""


class OnHold(StrEnum):
    """What new mail meets while every upstream of its route would hold it (quota spent, credential refused, ...): it is
    accepted and held, or the client is told to come again (451) and keeps it. What was accepted is held in both cases.
    """

    HOLD = "Hold"
    DEFER = "Defer"


class HeaderMatch(Frozen):
    """A header field that the message has: with a `value`, in which a star stands for any text; or one that `contains`
    a text, star or not; or, with neither, whatever it says. Case does not count.
    """

    name: Annotated[str, Field(pattern=HEADER_NAME_PATTERN)]
    value: Annotated[str, Field(max_length=256)] = ""
    contains: Annotated[str, Field(max_length=256)] = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> "HeaderMatch":
        if self.value and self.contains:
            raise ValueError("value and contains are both set; a field is compared by one of them")
        return self


class RouteMatch(Frozen):
    """Which mail takes a route: all that is set must hold, of a list one entry. With nothing set it is all mail.
    `sender_domains` are of the author in From, `recipient_domains` of where it goes at last, aliases followed.
    """

    sender_domains: Annotated[tuple[DomainPattern, ...], Field(max_length=64)] = ()
    recipient_domains: Annotated[tuple[DomainPattern, ...], Field(max_length=64)] = ()
    accounts: Annotated[tuple[Account, ...], Field(max_length=64)] = ()
    client_networks: Annotated[tuple[Network, ...], Field(max_length=64)] = ()
    header: HeaderMatch | None = None


class Route(Frozen):
    """One route. `upstreams` are handles: None for all of the relay, empty when none is left, so that its mail is kept.
    `important` mail may spend what quotas reserve. `expire_after` None is that of the queue.
    """

    name: Name
    match: RouteMatch = RouteMatch()
    upstreams: Annotated[tuple[Name, ...], Field(max_length=16)] | None = None
    important: bool = False
    expire_after: Annotated[int, Field(ge=60, le=2_592_000)] | None = None
    on_hold: OnHold = OnHold.HOLD
