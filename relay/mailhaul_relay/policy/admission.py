"""What the listener asks about each MAIL, RCPT and message, in this order, before the 250.

`smtpin` calls, with the configuration of this moment and the judged source. Rules:
- A stranger (untrusted) may address what an alias owns, a valid SRS address, and the postmaster of own domains.
- An unknown address in an own domain is 550 5.1.1 for everybody, trusted clients too: relayed onwards it would come
  back to us or vanish. Other domains are for trusted clients only.
- The unqualified postmaster (RFC 5321 section 4.5.1) is given as `Address("postmaster", "")` (see `postmaster`).
- Mail of a trusted client is a submission. When its From may not be sent but each recipient is one of our own
  addresses (alias, SRS, postmaster), it is taken as inbound: a gateway in the cluster hands in other people's mail so.
- Where spec.recipients.allowed or spec.delivery.redirectTo is set, mail goes nowhere else (`reach`).
- A bounce to the address from which forwarded bounces leave is refused, whatever alias has it (`alignment.NOBODY`).
- Whom the suppression list refuses is 550 5.1.1 (`suppression`), but never a postmaster.
- A relay without upstreams accepts and holds.
How an admitted message is spooled is in `mending`. Refusals are replies whose text names the cause and the remedy;
nothing here raises.
"""

from dataclasses import replace

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.message import Origin, Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy import guards, postmaster, suppression
from mailhaul_relay.policy.aliases import AliasLoopError
from mailhaul_relay.policy.alignment import NOBODY
from mailhaul_relay.policy.headers import Field, HeaderError, parse_head
from mailhaul_relay.policy.mending import Admitted, Incoming, Judged, spooled, written_from
from mailhaul_relay.policy.route_admission import refuse_unroutable
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source

Fields = tuple[Field, ...]
_NO_BOUNCES = Reply(
    550, "5.1.1", "a bounce of a forwarded bounce is not taken; correct the destinations of the MailAlias that bounced"
)


def size_limit(running: Running) -> int:
    """Give the octets for the SIZE keyword: the largest that a candidate upstream takes, less headroom."""
    return running.size_limit


def admit_sender(running: Running, source: Source, sender: Address | None, declared_size: int) -> Reply | None:  # noqa: ARG001
    """Judge MAIL: only the declared size counts, since who may send what is known with recipients and From."""
    if declared_size > running.size_limit:
        return _too_large(running)
    return None


def admit_recipient(
    running: Running, source: Source, recipient: Address, now: float, *, is_bounce: bool = False
) -> tuple[Recipient, ...] | Reply:
    """Judge RCPT: the recipients that it leads to, or a refusal. `is_bounce`: the envelope sender is null."""
    if is_bounce and recipient.local.casefold() == NOBODY and recipient.domain in running.own_domains:
        return _NO_BOUNCES
    admitted = _led_to(running, source, recipient, now)
    if not running.suppressed or isinstance(admitted, Reply) or postmaster.is_postmaster(recipient):
        return admitted
    return suppression.refusal(running.suppressed, str(recipient), admitted, now) or admitted


def _led_to(running: Running, source: Source, recipient: Address, now: float) -> tuple[Recipient, ...] | Reply:
    try:
        recipient = postmaster.at_home(running, recipient)
        own = _own_recipients(running, recipient, now)
    except AliasLoopError as error:
        return Reply(554, "5.4.6", f"alias loop: {error}; correct the MailAlias destinations")
    if own:
        return (None if source.trusted else guards.refuse_forward(running, "", own[:1])) or _within_reach(running, own)
    if recipient.domain in running.own_domains or not recipient.domain:
        told = str(recipient).encode("ascii", "backslashreplace").decode("ascii")
        return Reply(550, "5.1.1", f"{told} is unknown here; add a MailAlias for it")
    if source.trusted:
        text = str(recipient)
        return _within_reach(running, (Recipient(text, text),))
    return _relaying_denied(source)


def admit_message(running: Running, source: Source, incoming: Incoming) -> Admitted | Reply:
    """Judge the whole message, and give it as it is spooled."""
    if len(incoming.head) + incoming.body_size > running.size_limit:
        return _too_large(running)
    try:
        fields = parse_head(incoming.head)
    except HeaderError as error:
        return Reply(550, "5.6.0", str(error))
    refusal = guards.refuse_loop(fields, incoming.recipients)
    if refusal:
        return refusal
    judged = _submission(running, source, incoming, fields) if source.trusted else _inbound(running, incoming, fields)
    if isinstance(judged, Reply):
        return judged
    admitted = spooled(running, judged)
    if running.routes.named or admitted.envelope.size > running.size_for_all:
        return refuse_unroutable(running, admitted) or admitted
    return admitted


def _within_reach(running: Running, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...] | Reply:
    return (running.reach and running.reach.refuse(recipients)) or recipients


def _own_recipients(running: Running, recipient: Address, now: float) -> tuple[Recipient, ...]:
    """What an alias, an SRS address or the postmaster leads to; () when the address is none of these."""
    # First, for we signed it: a catch-all of the same domain would keep every bounce of a forward from its author.
    behind = running.srs.reverse(recipient, now) if running.srs else None
    if behind is None:
        matches = running.aliases.resolve(recipient)
        if matches:
            return tuple(Recipient(match.address, match.final, match.alias) for match in matches)
        behind = postmaster.configured(running, recipient)
    if behind is None:
        return ()
    original = str(recipient) if recipient.domain else f"{recipient.local}@{running.config.hostname}"
    further = running.aliases.resolve(Address.parse(behind))
    return tuple(Recipient(original, match.final) for match in further) or (Recipient(original, behind),)


def _relaying_denied(source: Source) -> Reply:
    if source.identity_lost:
        return Reply(
            550,
            "5.7.1",
            f"relaying denied: {source.address} is a node or mesh address that hides the client; keep the client's"
            f" address (externalTrafficPolicy: Local) or name this very host in {source.field}",
        )
    if source.unnamed:
        who = f"proxy {source.address} does not say who the client is; have it tell the client's address"
        return Reply(550, "5.7.1", f"relaying denied: {who}")
    client = source.address or "a client whose address is unknown"
    return Reply(550, "5.7.1", f"relaying denied for {client}; add its network to {source.field}")


def _too_large(running: Running) -> Reply:
    return Reply(552, "5.3.4", f"the message is larger than {running.size_limit} octets, see spec.limits.messageSize")


def _submission(running: Running, source: Source, incoming: Incoming, fields: Fields) -> Judged | Reply:
    refusal = guards.refuse_repeats(fields, running.unique_headers)
    if refusal:
        return refusal
    policy = running.senders.of(source)
    written = written_from(policy, incoming, fields)
    authors = guards.read_authors(written.fields)
    if isinstance(authors, Reply):
        return authors
    refusal = guards.refuse_authors(running, policy, (one.address.domain for one in authors))
    if refusal is None:
        return replace(written, origin=Origin.SUBMISSION, from_domain=authors[0].address.domain)
    if all(one.original != one.final for one in incoming.recipients):
        inbound = _inbound(running, incoming, fields)
        return refusal if isinstance(inbound, Reply) else inbound
    return refusal


def _inbound(running: Running, incoming: Incoming, fields: Fields) -> Judged | Reply:
    """A stranger's mail: From need not be there nor readable, but it may not be repeated (which of them is shown?)."""
    authors = guards.read_authors(fields)
    from_domain = "" if isinstance(authors, Reply) else guards.common_domain(authors)
    refusal = guards.refuse_repeats(fields, running.inbound_unique)
    refusal = refusal or guards.refuse_forward(running, from_domain, incoming.recipients)
    return refusal or Judged(incoming, fields, Origin.INBOUND, from_domain)


__all__ = ["Admitted", "Incoming", "admit_message", "admit_recipient", "admit_sender", "size_limit"]
