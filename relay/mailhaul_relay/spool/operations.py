"""What `writer` is asked to do: one small object for each request, with the future that its asker waits for.

`sqlite` makes them on the event loop, `writer` collects them into batches and commits each batch as one transaction.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from mailhaul_relay.spool.census import Change
from mailhaul_relay.spool.rows import Fate, Row
from mailhaul_relay.spool.store import Store


@dataclass(slots=True)
class Accept:
    """Store a new message."""

    future: "asyncio.Future[None]"
    row: Row


@dataclass(slots=True)
class Update:
    """Change a message's progress."""

    future: "asyncio.Future[None]"
    fate: Fate


@dataclass(slots=True)
class Remove:
    """Forget a message."""

    future: "asyncio.Future[None]"
    id: str


@dataclass(slots=True)
class Work:
    """Anything rarer: changes through the store, and says what changed."""

    future: "asyncio.Future[int]"
    run: "Callable[[Store], Effect]"
    result: int = 0


@dataclass(slots=True)
class Stop:
    """End the writer; everything asked before is done first."""


@dataclass(slots=True)
class Effect:
    """What a transaction changed, to be counted after its commit. `result` answers a `Work`."""

    changes: list[Change] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    quarantined: int = 0
    result: int = 0

    def add(self, other: "Effect") -> None:
        """Take in what another part of the same transaction changed."""
        self.changes += other.changes
        self.files += other.files
        self.quarantined += other.quarantined


Operation = Accept | Update | Remove | Work
