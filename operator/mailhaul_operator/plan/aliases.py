"""The alias table of one relay: which addresses of which MailAlias it takes, and where they lead.

Called by `relay_config`. An address is left out, alone and with a finding, when its domain is not the relay's own, its
namespace has no consent, an older alias has it, or its destinations only lead in a circle. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mailhaul_contract.addresses import Address
from mailhaul_contract.forwarding import Alias
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.plan.circles import circles, too_long
from mailhaul_operator.plan.consent import consents
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.patterns import Pattern, Resolver
from mailhaul_operator.plan.snapshot import Snapshot
from mailhaul_operator.plan.still_in_force import still_in_force

MAX_CHAIN: Final = 10
"""Aliases that a relay follows, one after the other (docs/aliases.md)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One address of one MailAlias."""

    alias: MailAlias
    index: int
    pattern: Pattern
    value: str

    @property
    def key(self) -> str:
        """`namespace/name` of the alias."""
        return "/".join(self.alias.metadata.key)

    @property
    def seniority(self) -> tuple[float, str, str]:
        """The oldest is first; one read from a file has no age and comes last, by namespace and name."""
        created = self.alias.metadata.creation_timestamp
        return (created.timestamp() if created else float("inf"), *self.alias.metadata.key)

    def finding(self, reason: Reason, message: str, remedy: str) -> Finding:
        """Say something of this address."""
        return Finding(reference(self.alias), f"spec.addresses[{self.index}].value", reason, message, remedy)


def reference(alias: MailAlias) -> ObjectRef:
    """Name an alias in a finding."""
    return ObjectRef("MailAlias", *alias.metadata.key)


def alias_entries(snapshot: Snapshot) -> tuple[tuple[Alias, ...], list[Finding]]:
    """Give the relay's alias table in a fixed order, and what was left out of it and why."""
    findings: list[Finding] = []
    allowed = [claim for claim in _claims(snapshot) if not _refuse(snapshot, claim, findings)]
    unseen = still_in_force(snapshot)
    findings += (_held_elsewhere(claim, unseen[claim.pattern]) for claim in allowed if claim.pattern in unseen)
    claims = _without_conflicts([claim for claim in allowed if claim.pattern not in unseen], findings)
    _tell_shadows(claims, findings)
    kept = _without_circles(snapshot, claims, unseen, findings)
    entries = {
        claim.pattern: Alias(
            namespace=claim.alias.metadata.namespace,
            name=claim.alias.metadata.name,
            type=claim.pattern.type,
            value=claim.value,
            destinations=kept[claim.key],
        )
        for claim in claims
        if kept[claim.key]
    }
    ordered = sorted({**entries, **unseen}.items(), key=lambda one: (one[0].domain, one[0].precedence))
    return tuple(entry for _, entry in ordered), findings


def _claims(snapshot: Snapshot) -> Iterable[Claim]:
    for alias in snapshot.resources.aliases:
        if alias.relay == snapshot.relay.metadata.key:
            for index, address in enumerate(alias.spec.addresses):
                yield Claim(alias, index, Pattern.of(address.type, address.normal), address.normal)


def _refuse(snapshot: Snapshot, claim: Claim, findings: list[Finding]) -> bool:
    """Whether the relay does not take this address at all, which it then says."""
    relay = "/".join(snapshot.relay.metadata.key)
    own = {one.name: one for one in snapshot.relay.spec.aliases.domains}
    domain = own.get(claim.pattern.domain)
    if domain is None:
        findings.append(
            claim.finding(
                Reason.ALIAS_DOMAIN_NOT_OWN,
                f"{claim.pattern.domain} is not a domain of relay {relay}, so it takes no mail for {claim.value}",
                f"add {claim.pattern.domain} to spec.aliases.domains of the SmtpRelay, or correct the address",
            )
        )
        return True
    if not consents(domain.namespaces, snapshot, claim.alias.metadata.namespace):
        findings.append(
            claim.finding(
                Reason.NAMESPACE_NOT_ALLOWED,
                f"relay {relay} gives namespace {claim.alias.metadata.namespace} no consent for {domain.name}",
                f"widen `namespaces` of {domain.name} in spec.aliases.domains of the SmtpRelay (a selector needs the"
                " Namespace with its labels), or move the alias into the relay's namespace",
            )
        )
        return True
    return False


def _without_conflicts(claims: list[Claim], findings: list[Finding]) -> list[Claim]:
    """The senior claim of each pattern; the losers name it."""
    rivals: defaultdict[Pattern, list[Claim]] = defaultdict(list)
    for claim in claims:
        rivals[claim.pattern].append(claim)
    winners = []
    for several in rivals.values():
        winner, *losers = sorted(several, key=lambda one: (one.seniority, one.index))
        winners.append(winner)
        findings += (_conflict(loser, winner) for loser in losers if loser.key != winner.key)
    return winners


def _held_elsewhere(loser: Claim, holder: Alias) -> Finding:
    key = f"{holder.namespace}/{holder.name}"
    finding = loser.finding(
        Reason.ALIAS_CONFLICT,
        f"{loser.pattern.type} {loser.value} belongs to MailAlias {key}, which the operator cannot read now",
        f"mend MailAlias {key} as its status says, or let the operator read its namespace; or use another address",
    )
    return replace(finding, rival=ObjectRef("MailAlias", holder.namespace, holder.name))


def _conflict(loser: Claim, winner: Claim) -> Finding:
    finding = loser.finding(
        Reason.ALIAS_CONFLICT,
        f"{loser.pattern.type} {loser.value} belongs to MailAlias {winner.key}, which is older (or first by name)",
        f"remove the address here, or from MailAlias {winner.key}",
    )
    return replace(finding, rival=reference(winner.alias))


def _tell_shadows(claims: list[Claim], findings: list[Finding]) -> None:
    by_pattern = {claim.pattern: claim for claim in claims}
    for claim in claims:
        first = by_pattern.get(claim.pattern.shadower) if claim.pattern.shadower else None
        if first and first.key != claim.key:
            findings.append(
                claim.finding(
                    Reason.ALIAS_SHADOWED,
                    f"{first.pattern.type} {first.value} of MailAlias {first.key} takes all that {claim.value} would",
                    f"use another address, or narrow that of MailAlias {first.key}",
                )
            )


def _without_circles(
    snapshot: Snapshot, claims: list[Claim], unseen: Mapping[Pattern, Alias], findings: list[Finding]
) -> dict[str, tuple[str, ...]]:
    """The destinations of each alias that lead out of every circle, each once; empty when none does."""
    own = {one.name for one in snapshot.relay.spec.aliases.domains}
    aliases = {claim.key: claim.alias for claim in claims}
    others = ((pattern, f"{entry.namespace}/{entry.name}") for pattern, entry in unseen.items())
    resolver = Resolver([*((claim.pattern, claim.key) for claim in claims), *others])
    leads = {key: {to: resolver.find(Address.parse(to)) for to in _mailboxes(alias)} for key, alias in aliases.items()}
    circle_of = {member: circle for circle in circles(_graph(leads)) for member in circle}
    for key, circle in circle_of.items():
        findings += _circle_findings(aliases[key], circle, leads[key])
    for key, leading in leads.items():
        findings += _dead_ends(aliases[key], leading, own)
    kept = {
        key: {to: owner for to, owner in leads[key].items() if owner not in circle_of.get(key, ())} for key in leads
    }
    findings += (_too_long(aliases[key]) for key in too_long(_graph(kept), MAX_CHAIN))
    return {key: tuple(to) for key, to in kept.items()}


def _graph(leads: Mapping[str, Mapping[str, str | None]]) -> dict[str, list[str]]:
    return {key: sorted({owner for owner in to.values() if owner}) for key, to in leads.items()}


def _too_long(alias: MailAlias) -> Finding:
    return Finding(
        reference(alias),
        "spec.destinations",
        Reason.ALIAS_CHAIN_TOO_LONG,
        f"this alias leads through more than {MAX_CHAIN} aliases, one after the other",
        "let it lead to the mailboxes themselves",
    )


def _circle_findings(alias: MailAlias, circle: tuple[str, ...], leads: dict[str, str | None]) -> Iterable[Finding]:
    for index, destination in enumerate(alias.spec.destinations):
        address = destination.mailbox.address
        if leads.get(address) in circle:
            yield Finding(
                reference(alias),
                f"spec.destinations[{index}].mailbox.address",
                Reason.ALIAS_CYCLE,
                f"{address} leads back to this alias; in the circle are MailAlias {', '.join(circle)}",
                "let one of them lead to a real mailbox outside of the relay's own domains",
            )


def _dead_ends(alias: MailAlias, leads: Mapping[str, str | None], own: set[str]) -> Iterable[Finding]:
    for index, destination in enumerate(alias.spec.destinations):
        address = destination.mailbox.address
        if leads.get(address, "") is None and Address.parse(address).domain in own:
            yield Finding(
                reference(alias),
                f"spec.destinations[{index}].mailbox.address",
                Reason.ALIAS_DESTINATION_UNKNOWN,
                f"{address} is in a domain of the relay itself, and no alias has it",
                "name a mailbox elsewhere, or make an alias for this address",
            )


def _mailboxes(alias: MailAlias) -> tuple[str, ...]:
    """The destinations in their order, one of those that differ in case only."""
    by_key = {Address.parse(one.mailbox.address).key: one.mailbox.address for one in reversed(alias.spec.destinations)}
    return tuple(dict.fromkeys(by_key[Address.parse(one.mailbox.address).key] for one in alias.spec.destinations))
