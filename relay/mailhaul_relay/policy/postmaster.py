"""Whom mail to postmaster reaches: the configured one, else whoever is postmaster where this relay is at home.

`admission` asks. RFC 5321 section 4.5.1 wants `RCPT TO:<postmaster>` without a domain to be taken by every server.
Where `spec.postmaster` is not set it means postmaster of an own domain, when an alias has that address, else of the
first domain that the relay sends for, as if the client had written so: who may not send there may not by this name.
Pure; an alias that leads to itself raises `AliasLoopError`.
"""

from collections.abc import Iterator

from mailhaul_contract.addresses import Address
from mailhaul_relay.policy.running import Running

LOCAL_PART = "postmaster"


def is_postmaster(recipient: Address) -> bool:
    """Whether an address is that of a postmaster, in any case of letters."""
    return recipient.local.casefold() == LOCAL_PART


def configured(running: Running, recipient: Address) -> str | None:
    """Give the configured postmaster, when an address is his: without a domain, in an own one, or the host's."""
    if not is_postmaster(recipient) or running.config.postmaster is None:
        return None
    ours = not recipient.domain or recipient.domain == running.config.hostname
    return running.config.postmaster if ours or recipient.domain in running.own_domains else None


def at_home(running: Running, recipient: Address) -> Address:
    """Give an address with a domain where it has none; as it is when none is known, or a postmaster is configured.
    Raises AliasLoopError.
    """
    if recipient.domain or running.config.postmaster is not None:
        return recipient
    domain = next(_homes(running), "")
    return Address(recipient.local, domain)


def _homes(running: Running) -> Iterator[str]:
    for domain in running.config.aliases.domains:
        if running.aliases.resolve(Address(LOCAL_PART, domain)):
            yield domain
    sends = (running.config.senders.domains, *(one.senders.domains for one in running.candidates))
    yield from (domain for domains in sends for domain in domains if domain not in running.own_domains)
