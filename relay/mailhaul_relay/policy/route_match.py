"""Which mail a route is for: the compiled form of a `RouteMatch`, asked for one recipient of one message.

`routes` asks. All that is set must hold, of a list one entry. A stranger's From and header are only claims, which
anybody can make: they match no route that asks for them, else a forged From could spend what is reserved for an
important route. Network, account and recipient are facts. The header is parsed once a message, and only when a route
asks for it. Patterns are google-re2's, in which nothing backtracks. Cannot fail: a head that cannot be parsed has no
fields.
"""

from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Self

import re2

from mailhaul_contract.routes import ANY_BELOW, HeaderMatch, RouteMatch
from mailhaul_relay.model.message import Envelope, Origin, Recipient
from mailhaul_relay.policy.headers import Field, HeaderError, parse_head
from mailhaul_relay.policy.source import ClientNetworks, IpAddress
from mailhaul_relay.policy.words import decode_words


class Traits:
    """What routes look at of one message. `sender_domain` is that of the author, else of the envelope sender."""

    def __init__(self, envelope: Envelope, head: bytes) -> None:
        self.account = envelope.account
        self.is_claim = envelope.origin is Origin.INBOUND
        self.sender_domain = envelope.from_domain or envelope.sender.rpartition("@")[2]
        self._client, self._head = envelope.client, head

    @cached_property
    def client(self) -> IpAddress | None:
        """The client's address; None where there is none, as for the relay's own mail."""
        try:
            return ip_address(self._client)
        except ValueError:
            return None

    @cached_property
    def _fields(self) -> tuple[Field, ...]:
        try:
            return parse_head(self._head)
        except HeaderError:
            return ()

    def header(self, name: bytes) -> list[str]:
        """Give the values of every field of a name (lower case), encoded words decoded."""
        # Bytes that are no UTF-8 are surrogates here, which re2 does not take.
        values = [decode_words(field.value) for field in self._fields if field.name == name]
        return [value.encode("utf-8", "replace").decode("utf-8") for value in values]


@dataclass(frozen=True, slots=True)
class DomainSet:
    """Domains, and those `below` others (`.example.com`)."""

    exact: frozenset[str]
    below: tuple[str, ...]

    @classmethod
    def build(cls, patterns: tuple[str, ...]) -> Self:
        """Compile patterns that the contract has validated."""
        below = tuple(one.removeprefix("*") for one in patterns if one.startswith(ANY_BELOW))
        return cls(frozenset(one for one in patterns if not one.startswith(ANY_BELOW)), below)

    def __contains__(self, domain: str) -> bool:
        return domain in self.exact or domain.endswith(self.below)


@dataclass(frozen=True, slots=True)
class HeaderPattern:
    """`name` in lower case; `pattern` is a compiled google-re2 pattern, None for any value."""

    name: bytes
    pattern: Any

    @classmethod
    def build(cls, match: HeaderMatch) -> Self:
        """Compile what the contract has validated: only stars of `value` are special."""
        pieces = match.value.split("*") if match.value else ["", match.contains, ""]
        text = ".*".join(re2.escape(piece) for piece in pieces)
        compiled = re2.compile(f"(?is){text}") if match.value or match.contains else None
        return cls(match.name.lower().encode(), compiled)

    def fits(self, traits: Traits) -> bool:
        """Whether a field of the message is as asked for."""
        values = traits.header(self.name)
        return bool(values) if self.pattern is None else any(self.pattern.fullmatch(value) for value in values)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled `RouteMatch`; None and an empty set ask for nothing."""

    senders: DomainSet | None
    recipients: DomainSet | None
    accounts: frozenset[str]
    networks: ClientNetworks | None
    header: HeaderPattern | None

    @classmethod
    def build(cls, match: RouteMatch) -> Self:
        """Compile what the contract has validated."""
        return cls(
            senders=DomainSet.build(match.sender_domains) if match.sender_domains else None,
            recipients=DomainSet.build(match.recipient_domains) if match.recipient_domains else None,
            accounts=frozenset(match.accounts),
            networks=ClientNetworks.build(match.client_networks) if match.client_networks else None,
            header=HeaderPattern.build(match.header) if match.header else None,
        )

    def fits(self, traits: Traits, recipient: Recipient) -> bool:
        """Whether a message for this recipient takes the route; what costs least is looked at first."""
        if traits.is_claim and (self.senders is not None or self.header is not None):
            return False
        return (
            (not self.accounts or traits.account in self.accounts)
            and (self.senders is None or traits.sender_domain in self.senders)
            and (self.recipients is None or recipient.final.rpartition("@")[2] in self.recipients)
            and (self.networks is None or (traits.client is not None and self.networks.contains(traits.client)))
            and (self.header is None or self.header.fits(traits))
        )
