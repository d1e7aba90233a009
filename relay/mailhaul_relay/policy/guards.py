"""What a message's head must satisfy before the 250, each check giving a refusal or None.

`admission` runs them in order. Loops: hops counted, own Delivered-To found. Repeats: fields that providers want once.
Authors: From present, readable and of a domain that some upstream may send. Texts name the cause and the remedy.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.mailboxes import MailboxError, NamedAddress, parse_mailboxes
from mailhaul_relay.model.message import Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.alignment import KEEP, forward_from, own_from, via_address
from mailhaul_relay.policy.headers import Field
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.senders import SenderPolicy

MAX_HOPS = 100
"""Received fields of a message that still travels: RFC 5321 section 6.3 asks for a threshold of at least 100."""

SHORT = 256
"""Octets of a From up to which its mailboxes are kept: bounds the memory of what is kept."""


def refuse_loop(fields: tuple[Field, ...], recipients: tuple[Recipient, ...]) -> Reply | None:
    """Refuse what has passed too many relays, or this relay's very alias before."""
    names = [field.name for field in fields]
    hops = names.count(b"received")
    if hops > MAX_HOPS:
        return Reply(554, "5.4.6", f"mail loop: the message has {hops} Received fields, at most {MAX_HOPS} are taken")
    if b"delivered-to" in names:
        passed = {_key(field.value) for field in fields if field.name == b"delivered-to"}
        for recipient in recipients:
            if recipient.is_forward and _key(recipient.original) in passed:
                return Reply(554, "5.4.6", f"mail loop: {recipient.original} forwarded this message before")
    return None


def refuse_repeats(fields: tuple[Field, ...], unique: frozenset[bytes]) -> Reply | None:
    """Refuse a field that stands twice though it must be unique."""
    names = [field.name for field in fields if field.name in unique]
    if len(names) == len(set(names)):
        return None
    name = next(name for name, count in Counter(names).items() if count > 1).decode("ascii")
    return Reply(550, "5.6.0", f"the header field {name} may appear only once; send the message with one of them")


def read_authors(fields: tuple[Field, ...]) -> tuple[NamedAddress, ...] | Reply:
    """Give the mailboxes of From; a refusal when there is none or it cannot be read."""
    try:
        authors = _authors(fields)
    except MailboxError as error:
        return Reply(550, "5.6.0", f"the From field cannot be read: {error}; write it as From: Name <user@domain>")
    return authors or Reply(550, "5.6.0", "the message has no From field; add one, such as From: Name <user@domain>")


def _authors(fields: tuple[Field, ...]) -> tuple[NamedAddress, ...]:
    for field in fields:
        if field.name == b"from":
            return _known_authors(field) if len(field.raw) <= SHORT else parse_mailboxes(field.value)
    return ()


@lru_cache(maxsize=512)
def _known_authors(field: Field) -> tuple[NamedAddress, ...]:
    """An app sends with the same From again and again."""
    return parse_mailboxes(field.value)


def refuse_authors(running: Running, policy: SenderPolicy, domains: Iterable[str]) -> Reply | None:
    """Refuse own mail of an author whose domain the client or every upstream may not send."""
    named = tuple(domains)
    for domain in named:
        if policy.domains and domain not in policy.domains:
            return _refused(f"{domain} in From is not in {policy.field} of the relay; add it there")
        if running.candidates and all(own_from(running, one, domain) is None for one in running.candidates):
            return _refused(
                f"no upstream may send From domain {domain}; add it to spec.senders.domains of an UpstreamProvider,"
                " or set spec.senders.rewriteFrom there"
            )
    return _refuse_mixed(running, named) if len(named) > 1 else None


def _refuse_mixed(running: Running, domains: tuple[str, ...]) -> Reply | None:
    """Refuse authors that one upstream may send only in part: mail goes by the first, and all would be in its From."""
    for upstream in running.candidates:
        foreign = [one for one in domains if own_from(running, upstream, one) != KEEP]
        if foreign and domains[0] not in foreign:
            return _refused(
                f"upstream {upstream.name} may send From domain {domains[0]} but not {foreign[0]} beside it;"
                " send the message with authors of one domain"
            )
    return None


def common_domain(authors: tuple[NamedAddress, ...]) -> str:
    """Give the domain of all authors, "" where they have several: no upstream is known to send such a From."""
    domains = {one.address.domain for one in authors}
    return domains.pop() if len(domains) == 1 else ""


def refuse_forward(running: Running, from_domain: str, recipients: Iterable[Recipient]) -> Reply | None:
    """Refuse a forward that no upstream would carry, neither with its From nor with one of ours."""
    for recipient in recipients if running.candidates else ():
        via = via_address(running, recipient)
        if all(forward_from(running, one, from_domain, via) is None for one in running.candidates):
            return _refused(
                f"UpstreamRefusesForeignFrom: no upstream of this relay forwards mail for {recipient.original};"
                " see spec.aliases.fromRewriting of the relay and spec.senders of its upstreams"
            )
    return None


def _refused(text: str) -> Reply:
    return Reply(550, "5.7.1", text)


def _key(text: str) -> str:
    try:
        return Address.parse(text.strip(" \t<>")).key
    except AddressError:
        return ""
