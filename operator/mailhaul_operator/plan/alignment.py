"""Which mail no upstream of a relay may send, by its From: what the relay would refuse is told before it does.

Called by `relay_config`. The rules are those of docs/senders.md and docs/aliases.md, which the relay's policy keeps.
With no upstream at all there is a finding already. Pure.
"""

from collections.abc import Iterator

from mailhaul_contract.forwarding import Alias, Aliases, FromRewriting
from mailhaul_contract.routes import Route
from mailhaul_contract.upstream import ForeignFrom, Upstream
from mailhaul_operator.api.relay_senders import RelaySenders, SenderRule
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.routes import Ways, ways_of
from mailhaul_operator.plan.snapshot import Snapshot


def unsendable(snapshot: Snapshot, paths: tuple[Route, ...], ways: Ways) -> list[Finding]:
    """Give the relay's own From domains that no upstream of theirs may send, and those that its own rules refuse."""
    relay, spec = ObjectRef("SmtpRelay", *snapshot.relay.metadata.key), snapshot.relay.spec.senders
    unsent = [
        Finding(
            relay,
            field,
            Reason.SENDER_DOMAIN_NOT_SENDABLE,
            f"no upstream{_of_route(domain, paths, ways)} may send mail from {domain}; such mail is refused",
            f"verify {domain} at a provider and add it to spec.senders.domains of its UpstreamProvider",
        )
        for field, domain in _own_domains(spec)
        if not _may_leave(domain, ways_of(paths, ways, sender=domain))
    ]
    refused = [
        Finding(
            relay,
            field,
            Reason.SENDER_DOMAIN_NOT_SENDABLE,
            f"{domain} is not among the domains that are allowed beside it, so all such mail is refused",
            f"add {domain} to {field.rpartition('.')[0]}.domains, or leave them empty",
        )
        for field, domain, allowed in _written(spec)
        if allowed and domain not in allowed
    ]
    return unsent + refused


def _own_domains(spec: RelaySenders) -> Iterator[tuple[str, str]]:
    """Fields and the From domain that each of them names."""
    for place, group in _groups(spec):
        for index, domain in enumerate(group.domains):
            yield f"{place}.domains[{index}]", domain
    for field, domain, _ in _written(spec):
        yield field, domain


def _written(spec: RelaySenders) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The addresses that the relay writes into From: field, domain, and the domains that are allowed there."""
    for place, group in _groups(spec):
        for name, address in (("defaultFrom", group.default_from), ("forcedFrom", group.forced_from)):
            if address:
                yield f"{place}.{name}", address.rpartition("@")[2], group.domains


def _groups(spec: RelaySenders) -> Iterator[tuple[str, "RelaySenders | SenderRule"]]:
    yield "spec.senders", spec
    for index, rule in enumerate(spec.rules):
        yield f"spec.senders.rules[{index}]", rule


def unforwardable(snapshot: Snapshot, aliases: Aliases, paths: tuple[Route, ...], ways: Ways) -> list[Finding]:
    """Give the aliases through which a stranger's mail cannot leave, whatever its From."""
    if not ways:
        return []
    stuck = {
        (entry.namespace, entry.name)
        for entry in aliases.entries
        for mailbox in entry.destinations
        if not _may_be_forwarded(entry, aliases.from_rewriting, _ways_to(mailbox, paths, ways))
    }
    remedy = "add an upstream that keeps a foreign From, or set spec.senders.rewriteFrom of an UpstreamProvider"
    if aliases.from_rewriting is FromRewriting.NEVER:
        remedy = "set spec.aliases.fromRewriting of the SmtpRelay to Automatic, or add an upstream that keeps it"
    relay = "/".join(snapshot.relay.metadata.key)
    allowed = " that its routes allow" if paths else ""
    return [
        Finding(
            ObjectRef("MailAlias", *key),
            "spec.relayRef",
            Reason.UPSTREAM_REFUSES_FOREIGN_FROM,
            f"no upstream of relay {relay}{allowed} may send a stranger's From, neither as it is nor rewritten",
            remedy,
        )
        for key in sorted(stuck)
    ]


def _of_route(domain: str, paths: tuple[Route, ...], ways: Ways) -> str:
    return "" if ways_of(paths, ways, sender=domain) == ways else " of its route"


def _may_leave(domain: str, ways: Ways) -> bool:
    """Whether own mail of a domain may leave by one of these; by none of none, which is another finding."""
    return not ways or any(_sends(one, domain) or one.senders.rewrite_from for one in ways)


def _ways_to(mailbox: str, paths: tuple[Route, ...], ways: Ways) -> Ways:
    """What a stranger's mail to a mailbox takes; a stranger's From is no claim that a route believes."""
    return ways_of(paths, ways, recipient=mailbox.rpartition("@")[2])


def _may_be_forwarded(entry: Alias, rewriting: FromRewriting, ways: Ways) -> bool:
    return not ways or any(_forwards(one, entry, rewriting) for one in ways)


def _sends(upstream: Upstream, domain: str) -> bool:
    """Whether a From of this domain may leave here as it is; an empty list means any."""
    return not upstream.senders.domains or domain in upstream.senders.domains


def _forwards(upstream: Upstream, entry: Alias, rewriting: FromRewriting) -> bool:
    """Whether a stranger's mail to this alias may leave here, with its From or with one of ours."""
    if not upstream.senders.domains and upstream.behavior.foreign_from is ForeignFrom.KEEP:
        return True
    if rewriting is FromRewriting.NEVER:
        return False
    return _sends(upstream, entry.value.rpartition("@")[2]) or upstream.senders.rewrite_from is not None
