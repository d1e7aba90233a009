"""Which addresses an alias takes, and which alias comes first: the rules of docs/aliases.md, for planning.

The relay has its own table for speed; a test holds both against each other. Pure, no failures: values come validated.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailhaul_contract.addresses import Address
from mailhaul_contract.config import AliasType

_RANK = {kind: rank for rank, kind in enumerate(AliasType)}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One address pattern in normal form. Case of the local part does not count."""

    type: AliasType
    local: str
    domain: str

    @classmethod
    def of(cls, kind: AliasType, normal: str) -> "Pattern":
        """Make it from a value in normal form, as the contract has it."""
        local, _, domain = normal.rpartition("@")
        if kind is not AliasType.CATCH_ALL:
            local = Address.parse(normal).local
        return cls(kind, local.casefold(), domain)

    @property
    def precedence(self) -> tuple[int, int, int, str]:
        """Sorts patterns of one domain, the first to match first: by type, then the longer one, then the longer
        prefix, then by text.
        """
        return _RANK[self.type], -len(self.local), -len(self.local.partition("*")[0]), self.local

    def matches(self, address: Address) -> bool:
        """Whether it takes mail for this address."""
        local = address.local.casefold()
        if address.domain != self.domain:
            return False
        match self.type:
            case AliasType.EXACT:
                return local == self.local
            case AliasType.SUB_ADDRESS:
                return local == self.local or local.startswith(self.local + "+")
            case AliasType.WILDCARD:
                prefix, _, suffix = self.local.partition("*")
                stands_for_something = len(local) > len(prefix) + len(suffix)
                return stands_for_something and local.startswith(prefix) and local.endswith(suffix)
            case AliasType.CATCH_ALL:
                return True

    @property
    def shadower(self) -> "Pattern | None":
        """The pattern that, if some alias has it, comes before this one and takes every address of it.

        Only a wildcard behind a plus has one: a wildcard that covers another is the shorter one, and so comes after it.
        """
        base, plus, _ = self.local.partition("*")[0].partition("+")
        shadowed = self.type is AliasType.WILDCARD and base and plus
        return Pattern(AliasType.SUB_ADDRESS, base, self.domain) if shadowed else None


T = TypeVar("T", bound=Hashable)


class Resolver(Generic[T]):
    """Finds what a pattern belongs to by address. Exact patterns are looked up, the others tried in precedence."""

    def __init__(self, patterns: Iterable[tuple[Pattern, T]]) -> None:
        self._exact: dict[tuple[str, str], T] = {}
        self._others: dict[str, list[tuple[Pattern, T]]] = {}
        for pattern, owner in patterns:
            if pattern.type is AliasType.EXACT:
                self._exact[pattern.local, pattern.domain] = owner
            else:
                self._others.setdefault(pattern.domain, []).append((pattern, owner))
        for several in self._others.values():
            several.sort(key=lambda pair: pair[0].precedence)

    def find(self, address: Address) -> T | None:
        """Give the owner of the first pattern that takes the address; None when none does."""
        exact = self._exact.get((address.local.casefold(), address.domain))
        if exact is not None:
            return exact
        several = self._others.get(address.domain, ())
        return next((owner for pattern, owner in several if pattern.matches(address)), None)
