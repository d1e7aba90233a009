"""The seam of the queue store: what every backend must do, and what it may raise.

`smtpin` writes bodies and accepts through it, `queue` reads and updates through it, `app` opens and closes it.
Failures: whatever goes wrong with the disk (full, read-only, failing fsync, no descriptors left) is `SpoolError`: the
client is told 452 or 451, nothing was accepted, and the next call tries again by itself. A record that cannot be read
is set aside and counted, never deleted and never an exception.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from mailhaul_relay.model.message import Body, Envelope, Message, Progress, State

Pages = list[bytes]
"""Parts of the chronicle, as they were kept."""
Meant = Callable[[Progress], bool]
"""Tells of a recipient whether an operation is for it."""


class SpoolError(Exception):
    """Nothing was stored. `full` tells that storage is exhausted (452), else it is a local error (451)."""

    def __init__(self, reason: str, *, full: bool = False) -> None:
        super().__init__(reason)
        self.full = full


class BodyWriter(Protocol):
    """Receives the body of one message while it comes in; small ones stay in memory, large ones go to a file."""

    def write(self, data: bytes) -> None:
        """Add wire-form bytes. Raises SpoolError; the body is then lost and `discard` is still to be called."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    def finish(self) -> Body:
        """Close the body and give it; it is not durable before `Spool.accept` has answered."""

    def discard(self) -> None:
        """Forget the body and its file, and give back its memory: to be called whatever became of the message, once
        `accept` has answered. Harmless after it succeeded, or when called twice.
        """


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages by the state of their most hopeful open recipient. `on_hold` of those `held` are held by a person and by
    nothing else; `oldest` is the accepted time of one that waits and is not, 0 if none.
    A message that has open recipients is not counted as dead.
    """

    queued: int = 0
    deferred: int = 0
    held: int = 0
    dead: int = 0
    quarantined: int = 0
    oldest: float = 0.0
    on_hold: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A message without its bytes, for lists."""

    envelope: Envelope
    progress: tuple[Progress, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message waits in the store while no upstream takes it: a queue that is named by what it waits for, and
    the time (epoch seconds) at which it is due whatever becomes of that. The name is the asker's; the store only
    compares it.
    """

    awaits: str
    until: float


@dataclass(frozen=True, slots=True)
class LastTurns:
    """Who had the last turns in a place: a giver, and of each giver the party. Turns go on behind them; the givers and
    parties in `without` have none.
    """

    giver: str = ""
    parties: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What narrows a list in the store: accepted between two times (epoch seconds, both included), and words in lower
    case ASCII, each of which an address of the envelope contains. The store may give more than that, never less.
    """

    words: tuple[str, ...] = ()
    since: float = 0.0
    until: float = inf


WHOLE = Narrowed()
NO_TURNS = LastTurns()


class Spool(Protocol):
    """The queue store. Every method that returns a future resolves it on the event loop after the commit."""

    def new_body(self) -> BodyWriter:
        """Give a writer for the body of a message that comes in."""

    def accept(self, message: Message) -> "asyncio.Future[None]":
        """Store a new message; resolved when it is on stable storage. Raises SpoolError (through the future).

        A body in a file is the spool's from this call on: after a refusal it is gone and cannot be offered again.
        Whoever cancels the future does not know whether the message is stored.
        """

    def update(self, message: Message, place: Place | None = None) -> "asyncio.Future[None]":
        """Store the message's progress (envelope and bytes never change). A message that is gone stays gone. With a
        place it is not due by its progress, but waits there; without one it has none any more.

        What is asked for one message without waiting in between is done in the order accept, update, remove.
        """

    def remove(self, id: str) -> "asyncio.Future[None]":  # noqa: A002 - the field's own word
        """Forget a message and its bytes: every recipient was delivered or dropped."""

    async def load(self, id: str) -> Message | None:  # noqa: A002
        """Give one message with its bytes (a large body as a path), None when it is gone or set aside."""

    async def due(self, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        """Give messages with an open recipient due at `now`, the longest due first, except those excluded."""

    async def places(self) -> Sequence[str]:
        """Tell what messages wait for that have a place, each name once. The longer the queue, the more of them are the
        same: this is as cheap as there are few names.
        """

    async def waiting(self, awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]) -> Sequence[Message]:
        """Give messages of a place, but for those excluded: their givers in turn, from the one that comes after the
        last on, of each giver its parties (`model.party`) likewise, and of a party those first whose last update is the
        longest ago. May be fewer than asked for while there are more, but not none.
        """

    async def line_up(self, now: float, place: Place, limit: int, exclude: frozenset[str]) -> int:
        """Put messages that are due at `now`, except those excluded, into a place with their progress as it is; those
        that are the longest due, and so many or a few more. The number of messages.
        """

    async def next_due(self, exclude: frozenset[str]) -> float | None:
        """Tell when the next message falls due; None when no open one is stored."""

    async def list(self, states: Iterable[State], after: str, limit: int, narrowed: Narrowed = WHOLE) -> list[Stored]:
        """Give messages in order of id, greater than `after`, that have a recipient in one of the states. It keeps
        nobody waiting who looks for mail that is due.
        """

    async def wake(self, now: float, states: Iterable[State], meant: Meant | None = None) -> int:
        """Make every open recipient in these states due now, but for those that a person holds, those that are not
        meant, and those of messages that have a place; the number of messages. Used on reload and when an upstream
        takes mail again. `meant` is asked in the writer's thread.
        """

    def counts(self) -> Counts:
        """Give the counts as of the last commit, without a query."""

    async def remember(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a small state of JSON (a breaker) over restarts."""

    async def remembered(self) -> dict[str, dict[str, Any]]:
        """Give all that was remembered."""

    async def keep_page(self, shelf: str, number: int, ids: Iterable[str], page: bytes, octets: int) -> None:
        """Keep a page of the chronicle, in place of one of that number, so that it is found by these ids. The pages of
        the shelf with the lowest numbers go when all together have more than so many octets.
        """

    async def pages_about(self, id: str) -> Pages:  # noqa: A002
        """Give the pages of every shelf that were kept with this id."""

    async def last_page(self, shelf: str) -> int:
        """Give the number of a shelf's last page, 0 when there is none."""

    async def check(self) -> None:
        """Commit something; raises SpoolError when the writer cannot. For `/healthz`."""

    async def close(self) -> None:
        """Finish what was asked, then stop the writer and give up the lock."""
