"""The alias table: which addresses lead where (docs/aliases.md says it in full).

`running` builds it once for a configuration; `admission` and `bounces` resolve. Precedence, first to last: Exact,
SubAddress (longest base first), Wildcard (most literal characters first, then the longer prefix), CatchAll. Letter
case never matters. When two aliases own the same pattern the first in the configuration has it; `plan` orders them.
Destinations that are aliases themselves are followed. A look-up costs a few dictionary look-ups, whatever the number
of aliases. Failures: `AliasPatternError` when built, `AliasLoopError` when resolved.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.domains import DomainError, normal_domain
from mailhaul_contract.forwarding import Alias, AliasType

MAX_DEPTH = 10
"""Aliases that may lead to one another, one after the other."""
MAX_DESTINATIONS = 1000
"""Mailboxes that one address may lead to in all."""


class AliasPatternError(ValueError):
    """The value of an alias does not fit its type."""


class AliasLoopError(Exception):
    """An alias leads back to itself, through too many others, or to too many mailboxes."""


class Match(NamedTuple):
    """`alias` (`namespace/name`) owns `address`, the one that was asked for; `final` is one mailbox it leads to."""

    alias: str
    address: str
    final: str


@dataclass(slots=True)
class _DomainAliases:
    """The aliases of one domain, by case-folded local part. Wildcards are found by the lengths of their two ends."""

    exact: dict[str, Alias] = field(default_factory=dict)
    sub: dict[str, Alias] = field(default_factory=dict)
    wild: dict[tuple[str, str], Alias] = field(default_factory=dict)
    ends: list[tuple[int, int]] = field(default_factory=list)
    catch_all: Alias | None = None

    def find(self, local: str) -> Alias | None:
        return self.exact.get(local) or self._sub_address(local) or self._wildcard(local) or self.catch_all

    def _sub_address(self, local: str) -> Alias | None:
        base = local if self.sub else ""
        while base:
            if found := self.sub.get(base):
                return found
            base = base.rpartition("+")[0]
        return None

    def _wildcard(self, local: str) -> Alias | None:
        for before, after in self.ends:
            if len(local) > before + after:
                found = self.wild.get((local[:before], local[len(local) - after :]))
                if found:
                    return found
        return None


@dataclass(frozen=True, slots=True)
class AliasTable:
    """Every alias of a relay, by domain."""

    domains: dict[str, _DomainAliases] = field(default_factory=dict, repr=False)

    @classmethod
    def build(cls, entries: Iterable[Alias]) -> Self:
        """Index the aliases. Raises AliasPatternError, naming the alias."""
        domains: dict[str, _DomainAliases] = {}
        for alias in entries:
            local, domain = _pattern(alias)
            _enter(domains.setdefault(domain, _DomainAliases()), alias, local)
        for one in domains.values():
            one.ends = sorted({(len(a), len(b)) for a, b in one.wild}, key=lambda ends: (-sum(ends), -ends[0]))
        return cls(domains)

    def owner(self, address: Address) -> Alias | None:
        """Give the alias that owns an address."""
        domain = self.domains.get(address.domain)
        return domain.find(address.local.casefold()) if domain else None

    def resolve(self, address: Address) -> tuple[Match, ...]:
        """Follow an address to its mailboxes, each once; () when no alias owns it. Raises AliasLoopError.

        `alias` and `address` of every match are those that were asked for, whatever lies between.
        """
        owner = self.owner(address)
        if owner is None:
            return ()
        finals: dict[str, str] = {}
        self._follow(owner, (address.key,), finals, set())
        name, asked = f"{owner.namespace}/{owner.name}", str(address)
        return tuple(Match(name, asked, final) for final in finals.values())

    def mailboxes(self, address: str) -> tuple[str, ...]:
        """Give where mail ends that the relay itself sends to an address: the address where no alias owns it, or where
        the alias leads in a circle. Sent out, mail to an alias of ours would come back to us or vanish.
        """
        try:
            return tuple(one.final for one in self.resolve(Address.parse(address))) or (address,)
        except AliasLoopError:
            return (address,)

    def _follow(self, alias: Alias, path: tuple[str, ...], finals: dict[str, str], followed: set[str]) -> None:
        """Add the mailboxes of an alias to `finals`; an address that was `followed` on another branch adds nothing."""
        for destination in alias.destinations:
            address = Address.parse(destination)
            key, owner = address.key, self.owner(address)
            if owner is None:
                finals.setdefault(key, destination)
            elif key in path or len(path) >= MAX_DEPTH:
                raise AliasLoopError(f"{path[0]} leads in a circle or through more than {MAX_DEPTH} aliases")
            elif key not in followed:
                followed.add(key)
                self._follow(owner, (*path, key), finals, followed)
            if len(finals) + len(followed) > MAX_DESTINATIONS:
                raise AliasLoopError(f"{path[0]} leads to more than {MAX_DESTINATIONS} mailboxes")


def _enter(domain: _DomainAliases, alias: Alias, local: str) -> None:
    match alias.type:
        case AliasType.EXACT:
            domain.exact.setdefault(local, alias)
        case AliasType.SUB_ADDRESS:
            domain.sub.setdefault(local, alias)
        case AliasType.WILDCARD:
            before, _, after = local.partition("*")
            domain.wild.setdefault((before, after), alias)
        case AliasType.CATCH_ALL:
            domain.catch_all = domain.catch_all or alias


def _pattern(alias: Alias) -> tuple[str, str]:
    """Give the case-folded local part (with its star) and the domain of an alias."""
    try:
        if alias.type in {AliasType.EXACT, AliasType.SUB_ADDRESS}:
            address = Address.parse(alias.value)
            return address.local.casefold(), address.domain
        local, _, domain = alias.value.rpartition("@")
        domain = normal_domain(domain)
        if alias.type is AliasType.CATCH_ALL:
            _expect(local == "*", alias, "must be `*@domain`")
        else:
            _expect(local.count("*") == 1 and local != "*", alias, "must have one star beside other characters")
            Address.parse(f"{local.replace('*', 'x')}@{domain}")
    except (AddressError, DomainError) as error:
        raise AliasPatternError(f"{_told(alias)}: {error}") from None
    return local.casefold(), domain


def _expect(holds: bool, alias: Alias, what: str) -> None:
    if not holds:
        raise AliasPatternError(f"{_told(alias)}: the value {what}; correct spec.addresses of the MailAlias")


def _told(alias: Alias) -> str:
    return f"alias {alias.namespace}/{alias.name} ({alias.type.value})"
