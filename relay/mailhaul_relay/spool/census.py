"""Counts of what is stored, kept in memory as commits happen, so that nobody waits for a query.

`writer` applies what a commit changed and publishes a frozen `Counts`; anyone reads it. Memory is bounded by the number
of distinct seconds in which a message that is still open was accepted, not by the number of messages.
"""

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from mailhaul_relay.spool.codec import ON_HOLD, WAITING
from mailhaul_relay.spool.interface import Counts

_QUEUED, _DEFERRED, _HELD, _DEAD = 1, 2, 4, 8


class Change(NamedTuple):
    """One message's states before and after (0: it was not, or is no longer, stored) and when it was accepted."""

    before: int
    after: int
    accepted: float


class Census:
    """Messages by state, and the oldest open one (exact to a second)."""

    def __init__(self) -> None:
        self._states = {0: 0, _QUEUED: 0, _DEFERRED: 0, _HELD: 0, _DEAD: 0, ON_HOLD: 0}
        self._quarantined = 0
        self._seconds: dict[int, list[float]] = {}
        self._order: list[int] = []
        self.counts = Counts()

    def begin(self, groups: Iterable[tuple[int, float, int]], quarantined: int) -> None:
        """Take over what a store holds: (mask, accepted, messages) for each second or finer."""
        self.__init__()  # type: ignore[misc]
        self._quarantined = quarantined
        for mask, accepted, messages in groups:
            self._count(mask, accepted, messages)
        self._publish()

    def apply(self, changes: Iterable[Change], quarantined: int = 0) -> None:
        """Take in what one commit changed, and publish."""
        self._quarantined += quarantined
        for before, after, accepted in changes:
            self._count(before, accepted, -1)
            self._count(after, accepted, 1)
        self._publish()

    def _count(self, mask: int, accepted: float, messages: int) -> None:
        state = mask & WAITING or mask & ON_HOLD or mask & _DEAD
        self._states[state & -state] += messages
        if not mask & WAITING:
            return
        second = int(accepted)
        entry = self._seconds.get(second)
        if entry is None:
            self._seconds[second] = [messages, accepted]
            heapq.heappush(self._order, second)
            return
        entry[0] += messages
        if messages > 0:
            entry[1] = min(entry[1], accepted)
        elif entry[0] <= 0:
            del self._seconds[second]

    def _publish(self) -> None:
        if len(self._order) > 2 * len(self._seconds) + 64:
            self._order = sorted(self._seconds)
        while self._order and self._order[0] not in self._seconds:
            heapq.heappop(self._order)
        states = self._states
        self.counts = Counts(
            queued=states[_QUEUED],
            deferred=states[_DEFERRED],
            held=states[_HELD] + states[ON_HOLD],
            dead=states[_DEAD],
            quarantined=self._quarantined,
            on_hold=states[ON_HOLD],
            oldest=self._seconds[self._order[0]][1] if self._order else 0.0,
        )
