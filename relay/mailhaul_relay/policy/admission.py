"""What the listener asks about each MAIL, RCPT and message, in this order, before the 250.

`smtpin` calls, with the configuration of this moment and the judged source. Rules:
- A stranger (untrusted) may address what an alias owns, a valid SRS address, and the postmaster of own domains.
- An unknown address in an own domain is 550 5.1.1 for everybody, trusted clients too: relayed onwards it would come
  back to us or vanish. Other domains are for trusted clients only.
- The unqualified postmaster (RFC 5321 section 4.5.1) is given as `Address("postmaster", "")`.
- Mail of a trusted client is a submission. When its From may not be sent but each recipient is one of our own
  addresses (alias, SRS, postmaster), it is taken as inbound: a gateway in the cluster hands in other people's mail so.
- A relay without upstreams accepts and holds.
Refusals are replies whose text names the cause and the remedy; nothing here raises.
"""

from dataclasses import dataclass

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_relay.model.message import Envelope, Origin, Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy import guards, trace
from mailhaul_relay.policy.aliases import AliasLoopError
from mailhaul_relay.policy.headers import Field, Head, HeaderError, joined
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source

DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path", b"content-length"})
"""Fields that a submission loses: Bcc would be shown to everybody, the others are not the author's to write."""


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


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is spooled: the envelope, and the head as it will lie there."""

    envelope: Envelope
    head: bytes


def size_limit(running: Running) -> int:
    """Give the octets for the SIZE keyword: the largest that a candidate upstream takes, less headroom."""
    return running.size_limit


def admit_sender(running: Running, source: Source, sender: Address | None, declared_size: int) -> Reply | None:  # noqa: ARG001
    """Judge MAIL: only the declared size counts, since who may send what is known with recipients and From."""
    if declared_size > running.size_limit:
        return _too_large(running)
    return None


def admit_recipient(running: Running, source: Source, recipient: Address, now: float) -> tuple[Recipient, ...] | Reply:
    """Judge RCPT: the recipients that it leads to, or a refusal."""
    try:
        own = _own_recipients(running, recipient, now)
    except AliasLoopError as error:
        return Reply(554, "5.4.6", f"alias loop: {error}; correct the MailAlias destinations")
    if own:
        return (None if source.trusted else guards.refuse_forward(running, "", own[:1])) or own
    if recipient.domain in running.own_domains or not recipient.domain:
        told = str(recipient).encode("ascii", "backslashreplace").decode("ascii")
        return Reply(550, "5.1.1", f"{told} is unknown here; add a MailAlias for it")
    if source.trusted:
        text = str(recipient)
        return (Recipient(text, text),)
    return _relaying_denied(source)


def admit_message(running: Running, source: Source, incoming: Incoming) -> Admitted | Reply:
    """Judge the whole message, and give it as it is spooled."""
    if len(incoming.head) + incoming.body_size > running.size_limit:
        return _too_large(running)
    try:
        fields = Head.parse(incoming.head).fields
    except HeaderError as error:
        return Reply(550, "5.6.0", str(error))
    refusal = guards.refuse_loop(fields, incoming.recipients)
    if refusal:
        return refusal
    judged = _submission(running, incoming, fields) if source.trusted else _inbound(running, incoming, fields)
    if isinstance(judged, Reply):
        return judged
    origin, from_domain = judged
    head = _mended(running, incoming, fields, origin)
    return Admitted(_envelope(incoming, head, origin, from_domain), head)


def _own_recipients(running: Running, recipient: Address, now: float) -> tuple[Recipient, ...]:
    """What an alias, an SRS address or the postmaster leads to; () when the address is none of these."""
    matches = running.aliases.resolve(recipient)
    if matches:
        return tuple(Recipient(match.address, match.final, match.alias) for match in matches)
    behind = running.srs.reverse(recipient, now) if running.srs else None
    if behind is None:
        behind = _postmaster(running, recipient)
    if behind is None:
        return ()
    original = str(recipient) if recipient.domain else f"{recipient.local}@{running.config.hostname}"
    further = running.aliases.resolve(Address.parse(behind))
    return tuple(Recipient(original, match.final) for match in further) or (Recipient(original, behind),)


def _postmaster(running: Running, recipient: Address) -> str | None:
    if recipient.local.casefold() != "postmaster" or running.config.postmaster is None:
        return None
    ours = not recipient.domain or recipient.domain == running.config.hostname
    return running.config.postmaster if ours or recipient.domain in running.own_domains else None


def _relaying_denied(source: Source) -> Reply:
    if source.identity_lost:
        return Reply(
            550,
            "5.7.1",
            f"relaying denied: {source.address} is a node or mesh address that hides the client; keep the client's"
            " address (externalTrafficPolicy: Local) or name this very host in spec.clients.allowedNetworks",
        )
    client = source.address or "a client whose address is unknown"
    return Reply(550, "5.7.1", f"relaying denied for {client}; add its network to spec.clients.allowedNetworks")


def _too_large(running: Running) -> Reply:
    return Reply(552, "5.3.4", f"the message is larger than {running.size_limit} octets, see spec.limits.messageSize")


def _submission(running: Running, incoming: Incoming, fields: tuple[Field, ...]) -> tuple[Origin, str] | Reply:
    refusal = guards.refuse_repeats(fields, running.unique_headers)
    if refusal:
        return refusal
    authors = guards.read_authors(fields)
    if isinstance(authors, Reply):
        return authors
    refusal = guards.refuse_authors(running, (one.address.domain for one in authors))
    if refusal is None:
        return Origin.SUBMISSION, authors[0].address.domain
    if all(one.original != one.final for one in incoming.recipients):
        inbound = _inbound(running, incoming, fields)
        return refusal if isinstance(inbound, Reply) else inbound
    return refusal


def _inbound(running: Running, incoming: Incoming, fields: tuple[Field, ...]) -> tuple[Origin, str] | Reply:
    """A stranger's mail: From need not be there nor readable, but it may not be repeated (which of them is shown?)."""
    authors = guards.read_authors(fields)
    from_domain = "" if isinstance(authors, Reply) else authors[0].address.domain
    refusal = guards.refuse_repeats(fields, running.inbound_unique)
    refusal = refusal or guards.refuse_forward(running, from_domain, incoming.recipients)
    return refusal or (Origin.INBOUND, from_domain)


def _mended(running: Running, incoming: Incoming, fields: tuple[Field, ...], origin: Origin) -> bytes:
    hostname = running.config.hostname
    added = trace.received(hostname, incoming.helo, incoming.client, incoming.protocol, incoming.id, incoming.now)
    if origin is Origin.INBOUND:
        return added + joined(fields)
    names = {field.name for field in fields}
    if b"date" not in names:
        added += trace.date(incoming.now)
    if b"message-id" not in names:
        added += trace.message_id(incoming.id, hostname)
    if names.isdisjoint(DROPPED):
        return added + joined(fields)
    return added + joined(field for field in fields if field.name not in DROPPED)


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
    """Domains are A-labels here, so only local parts count; 8-bit header bytes count when SMTPUTF8 was declared.

    Undeclared ones are what old clients send and every server passes on: asking for SMTPUTF8 would fail such mail.
    """
    if not sender.isascii() or any(not one.final.isascii() for one in recipients):
        return True
    return incoming.declared_utf8 and not head.isascii()


def _key(address: str) -> str:
    try:
        return Address.parse(address).key
    except AddressError:
        return address
