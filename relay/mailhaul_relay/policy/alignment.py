"""May this upstream send this author's domain in From, and as whom: the one answer that three policies share.

`admission` asks before the 250, `routing` before an attempt, `rewriting` when it writes the From. Own mail is what a
trusted client or the relay itself wrote; a forward is somebody else's mail on its way through one of our addresses.
`senders.domains` of an upstream that is not empty is all that it may send, for forwards too. Cannot fail.
"""

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.forwarding import FromRewriting
from mailhaul_contract.upstream import ForeignFrom, Upstream
from mailhaul_relay.model.message import Envelope, Origin, Recipient
from mailhaul_relay.policy.running import Running

KEEP = ""
"""The From stays as it is."""
NOBODY = "no-bounces"
"""The local part from which forwarded bounces leave where the null sender may not; in own domains no bounce to it is
taken, whatever aliases there are, so that it ends there.
"""


def is_forward(envelope: Envelope) -> bool:
    """Whether the mail is a stranger's, forwarded; a trusted client's mail to an alias is its own mail."""
    return envelope.origin is Origin.INBOUND


def own_from(running: Running, upstream: Upstream, from_domain: str) -> str | None:
    """For own mail: `KEEP`, or the address that replaces the From, or None when this upstream may not send it."""
    domains = running.upstream_domains[upstream.name]
    if not domains or from_domain in domains:
        return KEEP
    return upstream.senders.rewrite_from


def forward_from(running: Running, upstream: Upstream, from_domain: str, via: Address) -> str | None:
    """For a forward that came to `via`: `KEEP`, or the address that replaces the From, or None."""
    domains = running.upstream_domains[upstream.name]
    keeps = upstream.behavior.foreign_from is ForeignFrom.KEEP
    if (not domains and keeps) or from_domain in domains:
        return KEEP
    if running.config.aliases.from_rewriting is FromRewriting.NEVER:
        return None
    if not domains or via.domain in domains:
        return str(via)
    return upstream.senders.rewrite_from


def leaving_from(running: Running, upstream: Upstream, envelope: Envelope, recipient: Recipient) -> str | None:
    """What becomes of the From of this message for this recipient at this upstream: `KEEP`, an address, or None."""
    if is_forward(envelope):
        return forward_from(running, upstream, envelope.from_domain, via_address(running, recipient))
    return own_from(running, upstream, envelope.from_domain)


def leaving_domain(running: Running, upstream: Upstream, envelope: Envelope, recipient: Recipient) -> str | None:
    """The domain that this upstream will see in From; None when it may not send the message."""
    address = leaving_from(running, upstream, envelope, recipient)
    return envelope.from_domain if address == KEEP else address and address.rpartition("@")[2]


def relay_address(running: Running, from_domain: str) -> str:
    """The relay's own address for mail that nobody else speaks for, in a domain that upstreams may be expected to send:
    the postmaster when he has one of ours, else a mailer-daemon in the domain of the mail that it is about.
    """
    postmaster = running.config.postmaster
    if postmaster and postmaster.rpartition("@")[2] in running.own_domains | running.sender_domains | {from_domain}:
        return postmaster
    return f"mailer-daemon@{from_domain or running.config.hostname}"


def via_address(running: Running, recipient: Recipient) -> Address:
    """The own address that speaks for a forward: the alias; the postmaster where an SRS address brought it."""
    try:
        address = Address.parse(recipient.original)
    except AddressError:
        return Address("postmaster", running.config.hostname)
    return address if recipient.is_forward else Address("postmaster", address.domain)
