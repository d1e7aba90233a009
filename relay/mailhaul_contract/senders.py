"""Who may be the author of mail, whom mail may reach, and whether it leaves: parts of `RelayConfig`.

Written by the operator's `plan.senders`, interpreted by `policy.senders`, `policy.delivery` and `queue`. A wrong value
is refused with its path.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from mailhaul_contract.addresses import normal_address
from mailhaul_contract.base import Domain, Frozen, Mailbox, Name
from mailhaul_contract.domains import normal_domain
from mailhaul_contract.listening import Network


def normal_target(text: str) -> str:
    """Give the normal form of an address or of a domain; raises ValueError."""
    return normal_address(text) if "@" in text else normal_domain(text)


Target = Annotated[str, Field(min_length=1, max_length=320), AfterValidator(normal_target)]
"""A mail address, or a domain for every address in it."""
Account = Annotated[str, Field(min_length=1, max_length=255)]


class SenderRule(Frozen):
    """What holds for clients of these networks or accounts, in place of the relay's own rules. `domains` empty allows
    what the upstreams do.
    """

    name: Name
    networks: Annotated[tuple[Network, ...], Field(max_length=64)] = ()
    accounts: Annotated[tuple[Account, ...], Field(max_length=256)] = ()
    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()
    default_from: Mailbox | None = None
    forced_from: Mailbox | None = None


class Senders(Frozen):
    """The From domains that trusted clients may use; empty leaves it to the upstreams' own lists. `default_from` is
    that of a message without one, `forced_from` replaces every one. The first of `rules` that fits a client counts in
    place of all three. `always_bcc` get a copy of every submission.
    """

    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()
    default_from: Mailbox | None = None
    forced_from: Mailbox | None = None
    always_bcc: Annotated[tuple[Mailbox, ...], Field(max_length=10)] = ()
    rules: Annotated[tuple[SenderRule, ...], Field(max_length=64)] = ()


class Delivery(Frozen):
    """Whom mail may reach. `allowed` empty means anybody; what is not allowed goes to `redirect_to` when that is set,
    else it is refused. `suspended` keeps all of it.
    """

    allowed: Annotated[tuple[Target, ...], Field(max_length=256)] = ()
    redirect_to: Mailbox | None = None
    suspended: bool = False
