"""How many messages each party has somewhere, what of the reserve there each giver has, and who crowds for that.

`active` counts what is in work by it, `crowd` what is at one upstream. Nothing here can fail.
"""

from mailhaul_relay.model.party import giver_of

FEW = 10
"""Messages that one party may always have: whoever sends much does not stand before whoever sends little, nor does a
giver's mail to one domain before its mail to another."""


class Parties:
    """Counts of messages by party. Some are in the reserve: they came when there was room only for those with few. One
    giver may have so many there; else who writes to thousands of domains would take all of it.
    """

    __slots__ = ("_counts", "_crowding", "_frozen", "_most", "_reserved")

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        """By giver."""
        self._crowding: set[str] = set()
        self._frozen: frozenset[str] | None = frozenset()

    def enter(self, party: str, *, reserved: bool = False) -> None:
        """Count one in."""
        count = self._counts[party] = self._counts.get(party, 0) + 1
        if count == FEW:
            self._crowds(party)
        if reserved:
            giver = giver_of(party)
            count = self._reserved[giver] = self._reserved.get(giver, 0) + 1
            if count == self._most:
                self._crowds(giver)

    def leave(self, party: str, *, reserved: bool = False) -> None:
        """Count one out that came in so."""
        count = self._counts[party] = self._counts[party] - 1
        if count == FEW - 1:
            self._crowds_no_more(party)
        if not count:
            del self._counts[party]
        if reserved:
            self._left_reserve(giver_of(party))

    def _left_reserve(self, giver: str) -> None:
        count = self._reserved[giver] = self._reserved[giver] - 1
        if count == self._most - 1:
            self._crowds_no_more(giver)
        if not count:
            del self._reserved[giver]

    def is_crowding(self, party: str) -> bool:
        """Whether a party's next message makes room for those of others."""
        return party in self._crowding or giver_of(party) in self._crowding

    @property
    def crowding(self) -> frozenset[str]:
        """The parties that have more than a few, and the givers that have their part of the reserve."""
        if self._frozen is None:
            self._frozen = frozenset(self._crowding)
        return self._frozen

    def _crowds(self, name: str) -> None:
        self._crowding.add(name)
        self._frozen = None

    def _crowds_no_more(self, name: str) -> None:
        self._crowding.discard(name)
        self._frozen = None
