"""An admitted message as it is spooled: its envelope, and its head with what the relay adds and takes away.

`admission` calls it last. A submission gets the From and the archive's recipients that the configuration asks for,
gains Received, Date and Message-ID where they are missing, and loses `DROPPED`; a forward gains Received only. Every
other byte stays. SMTPUTF8 is asked for later only when it is needed: domains are A-labels here, so local parts count,
and 8-bit header bytes when the client declared SMTPUTF8. Undeclared ones are what old clients send and every server
passes on: asking for SMTPUTF8 would fail such mail. Cannot fail.
"""

from dataclasses import dataclass, replace

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_relay.model.message import Envelope, Origin, Recipient
from mailhaul_relay.policy import trace
from mailhaul_relay.policy.authorship import author_words, from_field, is_signed, with_from
from mailhaul_relay.policy.headers import Field, joined
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.senders import SenderPolicy
from mailhaul_relay.policy.signatures import SIGNATURE, covered

DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path", b"content-length"})
"""Fields that a submission loses: Bcc would be shown to everybody, the others are not the author's to write."""
_NEEDED = frozenset({b"date", b"message-id"})
_ANOTHER_FROM = "another From"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that has come in. `sender` None is the null sender; `recipients` are those admitted; `head` ends with
    its empty line; `protocol` is the word for Received (`ESMTP`, `ESMTPS`, ...); `body_size` is in wire bytes.
    """

    id: str
    sender: Address | None
    recipients: tuple[Recipient, ...]
    head: bytes
    body_size: int
    eight_bit: bool
    declared_utf8: bool
    client: str
    helo: str
    protocol: str
    now: float
    account: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A message that may be taken, with the fields that its client should have written. `breaks_signature` says what
    made a DKIM signature void, "" when nothing did; `rewritten` tells a person what stands there that the
    client did not write.
    """

    incoming: Incoming
    fields: tuple[Field, ...]
    origin: Origin = Origin.SUBMISSION
    from_domain: str = ""
    breaks_signature: str = ""
    rewritten: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is spooled: the envelope, and the head as it will lie there; `Judged` explains the others."""

    envelope: Envelope
    head: bytes
    breaks_signature: str = ""
    rewritten: str = ""


def written_from(policy: SenderPolicy, incoming: Incoming, fields: tuple[Field, ...]) -> Judged:
    """Give a submission with the From that `policy` wants; what it leaves alone keeps its bytes."""
    if policy.forced_from:
        address = Address.parse(policy.forced_from)
        forced = incoming if incoming.sender is None else replace(incoming, sender=address)
        broken = _ANOTHER_FROM if is_signed(fields) else ""
        told = f"From is {address}, was {author_words(fields)}"
        if incoming.sender is not None and incoming.sender != address:
            told += f"; sender was {incoming.sender}"
        return Judged(forced, with_from(fields, address), breaks_signature=broken, rewritten=told)
    if policy.default_from and not any(field.name == b"from" for field in fields):
        written = (*fields, from_field(Address.parse(policy.default_from)))
        broken = _ANOTHER_FROM if is_signed(fields) else ""
        return Judged(incoming, written, breaks_signature=broken, rewritten=f"From is {policy.default_from}, was none")
    return Judged(incoming, fields)


def spooled(running: Running, judged: Judged) -> Admitted:
    """Give a message that was judged as it is spooled."""
    incoming = judged.incoming
    head, broken = _mended(running, incoming, judged.fields, judged.origin)
    recipients = incoming.recipients
    if running.reach is not None:
        recipients = running.reach.redirected(recipients)
    if running.senders.archive and judged.origin is Origin.SUBMISSION:
        recipients += running.senders.archive
    if recipients is not incoming.recipients:
        incoming = replace(incoming, recipients=recipients)
    envelope = _envelope(incoming, head, judged.origin, judged.from_domain)
    return Admitted(envelope, head, judged.breaks_signature or broken, judged.rewritten)


def _mended(running: Running, incoming: Incoming, fields: tuple[Field, ...], origin: Origin) -> tuple[bytes, str]:
    """Give the head as it is spooled, and what of it voids a DKIM signature, "" for nothing."""
    hostname = running.config.hostname
    added = trace.received(hostname, incoming.helo, incoming.client, incoming.protocol, incoming.id, incoming.now)
    if running.reach is not None:
        added += running.reach.original_to(incoming.recipients)
    if origin is Origin.INBOUND:
        return added + joined(fields), ""
    names = {field.name for field in fields}
    if b"date" not in names:
        added += trace.date(incoming.now)
    if b"message-id" not in names:
        added += trace.message_id(incoming.id, hostname)
    broken = _broken(fields, (_NEEDED - names) | (DROPPED & names)) if SIGNATURE in names else ""
    if names.isdisjoint(DROPPED):
        return added + joined(fields), broken
    return added + joined(field for field in fields if field.name not in DROPPED), broken


def _broken(fields: tuple[Field, ...], changed: frozenset[bytes]) -> str:
    """Name what is added or dropped although a signature covers it."""
    signed = changed & covered(fields) if changed else changed
    each = [f"a {name.decode()} {'added' if name in _NEEDED else 'dropped'}" for name in sorted(signed)]
    return " and ".join(each)


def _envelope(incoming: Incoming, head: bytes, origin: Origin, from_domain: str) -> Envelope:
    sender = str(incoming.sender) if incoming.sender else ""
    recipients = _each_once(incoming.recipients)
    return Envelope(
        id=incoming.id,
        sender=sender,
        recipients=recipients,
        from_domain=from_domain,
        origin=origin,
        accepted=incoming.now,
        size=len(head) + incoming.body_size,
        client=incoming.client,
        eight_bit=incoming.eight_bit,
        utf8=_needs_utf8(incoming, sender, recipients, head),
        account=incoming.account,
    )


def _each_once(recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    """Several addresses may lead to one mailbox; the first that was given speaks for it."""
    if len(recipients) < 2:
        return recipients
    once: dict[str, Recipient] = {}
    for one in recipients:
        once.setdefault(_key(one.final), one)
    return tuple(once.values())


def _needs_utf8(incoming: Incoming, sender: str, recipients: tuple[Recipient, ...], head: bytes) -> bool:
    if not sender.isascii():
        return True
    for one in recipients:
        if not (one.original.isascii() and one.final.isascii()):
            return True
    return incoming.declared_utf8 and not head.isascii()


def _key(address: str) -> str:
    try:
        return Address.parse(address).key
    except AddressError:
        return address
