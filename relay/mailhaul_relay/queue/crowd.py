"""Who waits for one upstream, and for how long one more would: so that no upstream's backlog fills the active set.

`lane` counts, `ways` asks before mail is routed there. What comes beyond an upstream's share of the active set goes
back to the spool until its turn may have come; else a slow, hanging or paced one would stop the mail of all others.
Nothing here can fail.
"""

from dataclasses import dataclass

from mailhaul_contract.upstream import RateLimit
from mailhaul_relay.queue.parties import FEW, Parties

LONGEST = 120.0
"""Seconds that mail is sent back for at most: it may get faster, and no mail should wait long for it then."""
_SHORTEST = 1.0
_WEIGHT = 0.125
"""Of the newest transmission in the mean of their seconds."""


@dataclass(frozen=True, slots=True)
class Share:
    """What the mail for one upstream may hold of the active set."""

    messages: int
    octets: int

    @property
    def common(self) -> "Share":
        """What anybody's mail may hold; the last tenth, the reserve, is for parties that have a few messages there."""
        return Share(self.messages - self.messages // 10, self.octets - self.octets // 10)

    @property
    def stored(self) -> "Share":
        """What mail from the spool may hold: half of the reserve is for new mail."""
        return Share((self.messages + self.common.messages) // 2, (self.octets + self.common.octets) // 2)


class Crowd:
    """The transmissions in one lane, under way or waiting. `slots` may be under way at once."""

    __slots__ = ("_each", "_limit", "_octets", "_parties", "_seconds", "_slots", "_transmissions", "common")

    def __init__(self, slots: int, limit: RateLimit | None) -> None:
        self._limit = limit
        self.pace(slots, 1.0)
        self._transmissions = self._octets = 0
        self._seconds = 0.0
        self._parties = Parties(FEW)
        self.common: Share | None = None
        """What comes beyond this is in the reserve; None for whatever comes is not."""

    @property
    def crowding(self) -> frozenset[str]:
        """Who makes room for others here (`Parties`)."""
        return self._parties.crowding

    def pace(self, slots: int, level: float) -> None:
        """Reckon with so many slots and a part of the rate from now on."""
        self._slots = slots
        self._each = self._limit.per / self._limit.messages / level if self._limit else 0.0

    def enter(self, octets: int, party: str = "") -> bool:
        """Count one in; whether it is in the reserve, which `leave` is to be told."""
        reserved = self.common is not None and not self.has_room(self.common)
        self._transmissions += 1
        self._octets += octets
        self._parties.enter(party, reserved=reserved)
        return reserved

    def leave(self, octets: int, party: str = "", *, reserved: bool = False) -> None:
        """Count one out."""
        self._transmissions -= 1
        self._octets -= octets
        self._parties.leave(party, reserved=reserved)

    def took(self, seconds: float) -> None:
        """Learn how long a transmission was under way."""
        self._seconds += (seconds - self._seconds) * _WEIGHT

    def has_room(self, share: Share) -> bool:
        """Whether one more may come within its share."""
        return self._transmissions < share.messages and self._octets < share.octets

    def room(self, share: Share) -> int:
        """How many more may come within a share; 0 when its octets are used up."""
        return max(0, share.messages - self._transmissions) if self._octets < share.octets else 0

    def wait(self, share: Share, oldest: float) -> float:
        """Seconds until this crowd may be gone, 0 while the share has room; `oldest` is under way for so long."""
        if self.has_room(share):
            return 0.0
        each = max(self._each, self._seconds / self._slots, oldest / self._slots)
        return min(LONGEST, max(_SHORTEST, each * self._transmissions))
