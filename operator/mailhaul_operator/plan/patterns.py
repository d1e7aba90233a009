"""Which addresses an alias takes, and which alias comes first: the rules of docs/aliases.md, for planning.

The relay has its own table for speed; a test holds both against each other. Pure, no failures: values come validated.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailhaul_contract.addresses import Address
from mailhaul_contract.forwarding import AliasType

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

    @property
    def is_wildcard(self) -> bool:
        """Whether it has a star beside other characters."""
        return self.type is AliasType.WILDCARD

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
    """Finds what a pattern belongs to by address, in order of precedence, by look-ups and not by trying each."""

    def __init__(self, patterns: Iterable[tuple[Pattern, T]]) -> None:
        self._owners = dict(patterns)
        self._ends: dict[str, list[tuple[int, int]]] = {}
        for pattern in sorted((one for one in self._owners if one.is_wildcard), key=lambda one: one.precedence):
            before, _, after = pattern.local.partition("*")
            ends = self._ends.setdefault(pattern.domain, [])
            if (len(before), len(after)) not in ends:
                ends.append((len(before), len(after)))

    def find(self, address: Address) -> T | None:
        """Give the owner of the first pattern that takes the address; None when none does."""
        candidates = self._candidates(address.local.casefold(), address.domain)
        return next((self._owners[one] for one in candidates if one in self._owners), None)

    def _candidates(self, local: str, domain: str) -> Iterator[Pattern]:
        """Every pattern that takes the address and could exist, the first to match first."""
        yield Pattern(AliasType.EXACT, local, domain)
        base = local
        while base:
            yield Pattern(AliasType.SUB_ADDRESS, base, domain)
            base = base.rpartition("+")[0]
        for before, after in self._ends.get(domain, ()):
            if len(local) > before + after:
                yield Pattern(AliasType.WILDCARD, f"{local[:before]}*{local[len(local) - after :]}", domain)
        yield Pattern(AliasType.CATCH_ALL, "*", domain)
