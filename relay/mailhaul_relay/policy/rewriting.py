"""The envelope sender and the head as they leave: through this upstream, for this recipient.

`queue` asks for each recipient that `routing` sends; recipients with the same answer travel together.
- Own mail leaves as it was spooled, unless the upstream may not send its From and has `rewriteFrom`: then that
  address is the From (the name stays), the author goes to Reply-To, and the envelope sender follows.
- A forward through an upstream that keeps a foreign From: the bytes unchanged under a `Delivered-To` line.
- A forward elsewhere: From becomes `Name via alias <alias@own>`, the author goes to Reply-To unless there is one,
  Sender and Return-Path are dropped, and DKIM-Signature too where the upstream wants none but its own.
- Envelope sender of forwards: SRS where the upstream keeps the envelope and may send for the SRS domain, else an own
  address: the alias (or `rewriteFrom`), so that a bounce comes back to us and not to nobody; null stays null.
- Of a redirected message only the mailbox that stands in reads whom it was for (`reach`).
- Where the upstream takes no null sender, an own address stands in, with Auto-Submitted against answers to it; for a
  forward one that takes no bounces, for what bounces again must not come back to the alias.
Everything that is not named here keeps its bytes. Cannot fail: a head that cannot be parsed leaves as it is.
"""

from dataclasses import dataclass

from mailhaul_contract.addresses import Address
from mailhaul_contract.upstream import EnvelopeSender, NullSender, Upstream
from mailhaul_relay.model.message import Envelope, Message, Recipient
from mailhaul_relay.policy.alignment import KEEP, NOBODY, is_forward, leaving_from, relay_address, via_address
from mailhaul_relay.policy.authorship import REPLACED, with_from
from mailhaul_relay.policy.headers import HeaderError, joined, parse_head
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.signatures import SIGNATURE

_AUTO_SUBMITTED = b"Auto-Submitted: auto-generated\r\n"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`sender` is the envelope sender ("" is null), `head` the wire bytes, `from_domain` what the upstream will see;
    `breaks_signature` when a DKIM signature of somebody's goes with a From that it was not made for.
    """

    sender: str
    head: bytes
    from_domain: str
    breaks_signature: bool = False


def rewrite(running: Running, upstream: Upstream, message: Message, recipient: Recipient, now: float) -> Rewritten:
    """Give a message's sender and head for one recipient at one upstream, which `routing` found able to send it."""
    envelope = message.envelope
    address = leaving_from(running, upstream, envelope, recipient) or KEEP
    sender = leaving_sender(running, upstream, envelope, recipient, now)
    head, breaks = message.head, False
    if running.reach is not None:
        head = running.reach.readable_to(recipient, head, envelope.recipients)
    if address != KEEP:
        head = _with_from(head, Address.parse(address), envelope, recipient, upstream)
        breaks = SIGNATURE in head.lower()
    if not envelope.sender and sender:
        head = _auto_submitted(head)
    if recipient.is_forward:
        head = f"Delivered-To: {recipient.original}\r\n".encode() + head
    return Rewritten(sender, head, address.rpartition("@")[2] if address != KEEP else envelope.from_domain, breaks)


def sender_domain(sender: str) -> str:
    """Give the domain of an envelope sender, "" for the null sender."""
    return sender.rpartition("@")[2].lower()


def leaving_sender(running: Running, upstream: Upstream, envelope: Envelope, recipient: Recipient, now: float) -> str:
    """Give the envelope sender that this upstream will see; "" is the null sender."""
    if not envelope.sender:
        if upstream.behavior.null_sender is not NullSender.REFUSED:
            return ""
        if is_forward(envelope) or recipient.is_forward:
            return _address_of_nobody(running, upstream, recipient)
        return _own_address(running, upstream, envelope, recipient)
    domains = running.upstream_domains[upstream.name]
    domain = envelope.sender.rpartition("@")[2]
    if not is_forward(envelope):
        replaced = domains and domain not in domains and upstream.senders.rewrite_from
        return replaced or envelope.sender
    if upstream.behavior.envelope_sender is EnvelopeSender.KEEP:
        if domain in running.own_domains and (not domains or domain in domains):
            return envelope.sender
        if running.srs and (not domains or running.srs.domain in domains):
            signed = running.srs.forward(envelope.sender, now)
            if signed != envelope.sender:
                return signed
    return _own_address(running, upstream, envelope, recipient)


def _address_of_nobody(running: Running, upstream: Upstream, recipient: Recipient) -> str:
    """In place of a null sender: an address that no bounce comes back from. From the alias it would be forwarded to the
    mailbox that bounced it, and bounce for ever.
    """
    domains, rewritten = running.upstream_domains[upstream.name], upstream.senders.rewrite_from
    domain = via_address(running, recipient).domain
    if domains and domain not in domains:
        domain = rewritten.rpartition("@")[2] if rewritten else min(domains)
        if rewritten and domain not in running.own_domains:
            return rewritten
    return f"{NOBODY}@{domain}"


def _own_address(running: Running, upstream: Upstream, envelope: Envelope, recipient: Recipient) -> str:
    """An address of ours that this upstream may send for: the alias, `rewriteFrom`, the relay's own."""
    domains = running.upstream_domains[upstream.name]
    via = via_address(running, recipient)
    if recipient.is_forward and (not domains or via.domain in domains):
        return str(via)
    if upstream.senders.rewrite_from:
        return upstream.senders.rewrite_from
    address = relay_address(running, via.domain if is_forward(envelope) else envelope.from_domain)
    if not domains or address.rpartition("@")[2] in domains:
        return address
    return f"mailer-daemon@{min(domains)}"


def _with_from(head: bytes, address: Address, envelope: Envelope, recipient: Recipient, upstream: Upstream) -> bytes:
    try:
        fields = parse_head(head)
    except HeaderError:
        return head
    wants_its_own = any(name.lower() == SIGNATURE.decode() for name in upstream.behavior.unique_headers)
    via = recipient.original.rpartition("@")[0] if is_forward(envelope) else ""
    return joined(with_from(fields, address, via, REPLACED | {SIGNATURE} if wants_its_own else REPLACED))


def _auto_submitted(head: bytes) -> bytes:
    """Mark it so that vacation responders keep still (RFC 3834), unless it says so itself."""
    try:
        marked = any(field.name == b"auto-submitted" for field in parse_head(head))
    except HeaderError:
        marked = True
    return head if marked else _AUTO_SUBMITTED + head
