"""The keys that are due and wait for a worker: those of edges first, the others by rank, and none for ever.

Used by `workqueue`. Pure.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from mailhaul_operator.wire.key import Key

EDGE: Final = -1
"""The rank of keys that an edge made due: before all others."""
FAIR: Final = 4
"""Of so many keys one is the one that has waited longest, whatever its rank."""
Rank = Callable[[Key], int]
"""Orders keys that no edge made due: small ones first."""


class Waiting:
    """Holds each key once. Within a rank keys keep the order in which they came."""

    def __init__(self, rank: Rank) -> None:
        self._rank = rank
        self._places: dict[Key, tuple[int, int]] = {}
        self._lines: dict[int, deque[tuple[int, Key]]] = {}
        self._came = self._taken = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def add(self, key: Key, rank: int | None = None) -> None:
        """Let a key wait that does not wait yet, in this rank or its own."""
        self._came += 1
        self._enter(key, self._rank(key) if rank is None else rank, self._came)

    def hurry(self, key: Key) -> None:
        """Let a key that waits go before all that no edge made due; one that does not wait stays away."""
        if key in self._places and self._places[key][0] != EDGE:
            self._came += 1
            self._enter(key, EDGE, self._came)

    def take(self) -> Key:
        """Give the next one, which waits no more. Raises IndexError when none waits."""
        self._taken += 1
        heads = {rank: head for rank in sorted(self._lines) if (head := self._head(rank)) is not None}
        if not heads:
            raise IndexError("no key waits")
        rank = min(heads, key=heads.__getitem__) if self._taken % FAIR == 0 else next(iter(heads))
        _, key = self._lines[rank].popleft()
        del self._places[key]
        return key

    def _enter(self, key: Key, rank: int, number: int) -> None:
        self._places[key] = rank, number
        self._lines.setdefault(rank, deque()).append((number, key))

    def _head(self, rank: int) -> int | None:
        """Give the number of the first key of a line, without those that have moved on to another; None without any."""
        line = self._lines[rank]
        while line and self._places.get(line[0][1]) != (rank, line[0][0]):
            line.popleft()
        return line[0][0] if line else None
