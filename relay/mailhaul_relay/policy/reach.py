"""Whom mail may reach: the allowlist and the redirection of a staging relay.

`admission` asks for each recipient that RCPT led to, `mending` redirects when the message is spooled, `rewriting` asks
which head each recipient gets, and `bounces` asks for the relay's own reports. What is not allowed is refused unless
something stands in for it. Cannot fail.
"""

from dataclasses import dataclass, replace
from typing import Self

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.senders import Delivery
from mailhaul_relay.model.message import Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.aliases import AliasTable

_ORIGINAL_TO = b"X-Original-To: "
MAX_TOLD = 100
"""Original recipients that a redirected message names."""


@dataclass(frozen=True, slots=True)
class Reach:
    """`addresses` are keys of addresses; both empty allow nobody. `stands_in` are the mailboxes that get what is
    redirected, own aliases followed; () for none.
    """

    addresses: frozenset[str]
    domains: frozenset[str]
    stands_in: tuple[str, ...]

    @classmethod
    def build(cls, delivery: Delivery, aliases: AliasTable) -> Self | None:
        """Compile what the contract has validated; None when mail may reach anybody."""
        if not delivery.allowed and not delivery.redirect_to:
            return None
        addresses = frozenset(Address.parse(one).key for one in delivery.allowed if "@" in one)
        domains = frozenset(one for one in delivery.allowed if "@" not in one)
        return cls(addresses, domains, aliases.mailboxes(delivery.redirect_to) if delivery.redirect_to else ())

    def covers(self, mailbox: str) -> bool:
        """Whether mail may go there as it is."""
        try:
            address = Address.parse(mailbox)
        except AddressError:
            return False
        return address.domain in self.domains or address.key in self.addresses

    def refuse(self, recipients: tuple[Recipient, ...]) -> Reply | None:
        """Refuse recipients of which one may not be reached, when nothing stands in for it."""
        if self.stands_in or all(self.covers(one.final) for one in recipients):
            return None
        return Reply(550, "5.7.1", "this relay may not send to this recipient; add it to spec.recipients.allowed")

    def redirected(self, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        """Give where recipients that were not refused go. Who stands in for several speaks for the first of them."""
        going: list[Recipient] = []
        missed = False
        for one in recipients:
            if self.covers(one.final):
                going.append(one)
            elif not missed:
                missed = True
                going += [replace(one, final=mailbox) for mailbox in self.stands_in]
        return tuple(going)

    def original_to(self, recipients: tuple[Recipient, ...]) -> bytes:
        """Give the header fields that name whom a message was for that is redirected; empty when nobody is."""
        missed = dict.fromkeys(one.original for one in recipients if one.original and not self.covers(one.final))
        return b"".join(_ORIGINAL_TO + f"{one}\r\n".encode() for one in list(missed)[:MAX_TOLD])

    def readable_to(self, recipient: Recipient, head: bytes, recipients: tuple[Recipient, ...]) -> bytes:
        """Give the head of a message for one of its recipients: of whom it was for, and some may have been in Bcc, only
        the mailboxes that stand in for them read.
        """
        stands_in = self.stands_in
        if recipient.final in stands_in or not any(one.final in stands_in for one in recipients):
            return head
        return _without_original_to(head)


def _without_original_to(head: bytes) -> bytes:
    """Give a head without the fields that `original_to` wrote below the first one, which is our Received."""
    start = head.find(b"\r\n") + 2
    while head[start : start + 1] in {b" ", b"\t"}:
        start = head.find(b"\r\n", start) + 2
    end = start
    while head.startswith(_ORIGINAL_TO, end):
        end = head.find(b"\r\n", end) + 2
    return head[:start] + head[end:]
