"""In which order a message tries upstreams: by priority, then by a weighted choice that its id decides.

`routes` builds one order for each route. Rendezvous hashing: each upstream draws a number from the message's id and its
own name, so the same message finds the same order in every replica and after every restart, and an upstream that comes
or goes moves no message between the others. Of one priority an upstream comes first in proportion to its weight; weight
0 comes after all others of that priority. Where no two share a priority nothing is computed. Cannot fail.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from math import inf, log
from typing import Self

from mailhaul_contract.upstream import Upstream

_DRAWS = 1 << 52
"""Numbers that a draw may give: so many that each is exact in a float, its half above it too."""


@dataclass(frozen=True, slots=True)
class UpstreamOrder:
    """`upstreams` by priority, then name; `tiers` are those that share a priority, None when none do."""

    upstreams: tuple[Upstream, ...]
    tiers: tuple[tuple[Upstream, ...], ...] | None

    @classmethod
    def build(cls, upstreams: Iterable[Upstream]) -> Self:
        """Order upstreams, each named once."""
        whole = tuple(sorted(upstreams, key=lambda one: (one.priority, one.name)))
        tiers = tuple(tuple(tier) for _, tier in groupby(whole, lambda one: one.priority))
        return cls(whole, tiers if len(tiers) < len(whole) else None)

    def of(self, message_id: str) -> tuple[Upstream, ...]:
        """Give the order in which a message tries them."""
        if self.tiers is None:
            return self.upstreams
        order: list[Upstream] = []
        for tier in self.tiers:
            order += tier if len(tier) == 1 else sorted(tier, key=lambda one: _arrival(message_id, one))
        return tuple(order)


def _arrival(message_id: str, upstream: Upstream) -> tuple[float, float]:
    """An exponential variate with the weight as its rate: of several the first to arrive is each one in proportion."""
    drawn = blake2b(f"{message_id}\0{upstream.name}".encode(), digest_size=8).digest()
    waited = -log((int.from_bytes(drawn) % _DRAWS + 0.5) / _DRAWS)
    return (waited / upstream.weight if upstream.weight else inf, waited)
