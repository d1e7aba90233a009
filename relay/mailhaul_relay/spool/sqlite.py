"""The embedded queue store: `interface.Spool` on SQLite and a directory of large bodies.

`app` opens it, `smtpin` and `queue` use it on the event loop. This module only joins the parts: `writer` (commits),
`reader` (queries), `bodies` (files), `recovery` (start), `ownership` (lock). Failures are SpoolError, as the interface
says; docs/spool.md tells the person who runs it what they mean.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.ports.clock import Clock, wall_clock
from mailhaul_relay.spool.bodies import BodyStore
from mailhaul_relay.spool.codec import BITS, ON_HOLD, encode_envelope, encode_progress, mask
from mailhaul_relay.spool.committer import Committer
from mailhaul_relay.spool.interface import (
    WHOLE,
    BodyWriter,
    Counts,
    LastTurns,
    Meant,
    Narrowed,
    Pages,
    Place,
    SpoolError,
    Stored,
)
from mailhaul_relay.spool.lining import CHUNK, LineUpChunk
from mailhaul_relay.spool.opening import Opened, open_directory, open_store
from mailhaul_relay.spool.operations import Accept, Effect, Remove, Update, Work
from mailhaul_relay.spool.pages import HistoryPages
from mailhaul_relay.spool.reader import Reader
from mailhaul_relay.spool.rows import Fate, Row
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.store import Store
from mailhaul_relay.spool.waking import WakeChunk
from mailhaul_relay.spool.writer import Writer
from mailhaul_relay.telemetry.log import Log

_SYNC_THREADS = 4


class SqliteSpool:
    """The spool in one directory. Made by `open`; `close` gives the directory back."""

    def __init__(self, opened: Opened, directory: Path, log: Log, clock: Clock, settings: Settings) -> None:
        self._ownership = opened.ownership
        self._census = opened.census
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._bodies = BodyStore(directory / "bodies", settings)
        self._syncing = ThreadPoolExecutor(_SYNC_THREADS, thread_name_prefix="spool-sync")
        self._reader = Reader(directory, settings, self._set_aside)
        # What people look for may take long; deliveries have a reader of their own.
        self._lists = Reader(directory, settings, self._set_aside)
        self._pages = HistoryPages(directory, settings, log)
        committer = Committer(opened.store, lambda: open_store(directory, settings), directory, settings, log)
        self._writer = Writer(committer, opened.census, self._bodies.unlink, log)
        self._closed = False
        self._since = 0.0

    @classmethod
    async def open(cls, directory: Path, log: Log, clock: Clock = wall_clock, settings: Settings | None = None) -> Self:
        """Take the directory (made when it is not there), recover what it holds, and begin to work.

        Raises SpoolError: the directory has another owner, is of a newer version, or the disk fails.
        """
        settings = settings or Settings()
        opened = await asyncio.to_thread(open_directory, directory, settings, log, clock())
        spool = cls(opened, directory, log, clock, settings)
        try:
            await spool._reader.ready()
        except SpoolError:
            await spool.close()
            raise
        return spool

    def new_body(self) -> BodyWriter:
        """Give a writer for the body of a message that comes in."""
        return self._bodies.new_body()

    def accept(self, message: Message) -> "asyncio.Future[None]":
        """Store a new message. A body in a file belongs to the spool from now on, whatever becomes of the message."""
        future = self._future()
        if future.done():
            return future
        try:
            row = _row(message)
            descriptor = self._bodies.claim(message.body)
        except SpoolError as error:
            future.set_exception(error)
        except ValueError as error:
            future.set_exception(SpoolError(f"the message cannot be written as a record: {error}"))
        else:
            if descriptor is None:
                self._writer.submit(Accept(future, row))
            else:
                self._syncing.submit(self._sync, descriptor, Accept(future, row))
        return future

    def _sync(self, descriptor: int, operation: Accept) -> None:
        try:
            self._bodies.sync(descriptor)
        except SpoolError as error:
            self._bodies.unlink(operation.row.file or "")
            self._loop.call_soon_threadsafe(_fail, operation.future, error)
        else:
            self._writer.submit(operation)

    def update(self, message: Message, place: Place | None = None) -> "asyncio.Future[None]":
        """Store the message's progress, and where it waits. A message that is gone stays gone."""
        future = self._future()
        if not future.done():
            try:
                fate = _fate(message, place, self._next_since() if place else 0.0)
            except ValueError as error:
                future.set_exception(SpoolError(f"the progress cannot be written as a record: {error}"))
            else:
                self._writer.submit(Update(future, fate))
        return future

    def remove(self, id: str) -> "asyncio.Future[None]":  # noqa: A002 - the interface's word
        """Forget a message and its bytes. Nothing happens when it is gone."""
        future = self._future()
        if not future.done():
            self._writer.submit(Remove(future, id))
        return future

    async def load(self, id: str) -> Message | None:  # noqa: A002
        """Give one message with its bytes."""
        return await self._reader.load(id)

    async def due(self, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        """Give messages with an open recipient due at `now`, the longest due first."""
        return await self._reader.due(now, limit, exclude)

    async def places(self) -> Sequence[str]:
        """Tell what messages wait for that have a place."""
        return await self._reader.places()

    async def waiting(self, awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]) -> Sequence[Message]:
        """Give messages of a place, their givers and the parties of each in turn."""
        return await self._reader.waiting(awaits, last, limit, exclude)

    async def line_up(self, now: float, place: Place, limit: int, exclude: frozenset[str]) -> int:
        """Put messages that are due into a place as they are; other operations are served in between."""
        total = 0
        while total < limit:
            moved = await self._work(LineUpChunk(now, place, self._next_since(), exclude).run)
            total += moved
            if moved < CHUNK:
                break
        return total

    async def next_due(self, exclude: frozenset[str]) -> float | None:
        """Tell when the next message falls due."""
        return await self._reader.next_due(exclude)

    async def list(self, states: Iterable[State], after: str, limit: int, narrowed: Narrowed = WHOLE) -> list[Stored]:
        """Give messages in order of id that have a recipient in one of the states."""
        return await self._lists.stored(_bits(states), after, limit, narrowed)

    async def wake(self, now: float, states: Iterable[State], meant: Meant | None = None) -> int:
        """Make every open recipient in these states due now; other operations are served in between."""
        wanted = frozenset(states)
        after, total = "", 0
        while True:
            chunk = WakeChunk(wanted, now, after, meant)
            total += await self._work(chunk.run)
            if chunk.last is None:
                return total
            after = chunk.last

    def counts(self) -> Counts:
        """Give the counts as of the last commit."""
        return self._census.counts

    async def remember(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a small state of JSON over restarts."""
        try:
            text = json.dumps(dict(value), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SpoolError(f"the state {key!r} is not JSON: {error}") from error

        def keep(store: Store) -> Effect:
            store.remember(key, text)
            return Effect()

        await self._work(keep)

    async def remembered(self) -> dict[str, dict[str, Any]]:
        """Give all that was remembered."""
        return await self._reader.remembered()

    async def keep_page(self, shelf: str, number: int, ids: Iterable[str], page: bytes, octets: int) -> None:
        """Keep a page of the chronicle; the oldest go beyond so many octets."""
        await self._pages.keep(shelf, number, ids, page, octets)

    async def pages_about(self, id: str) -> Pages:  # noqa: A002
        """Give the pages that were kept with this id."""
        return await self._pages.about(id)

    async def last_page(self, shelf: str) -> int:
        """Give the number of a shelf's last page."""
        return await self._pages.last(shelf)

    async def check(self) -> None:
        """Commit a small change; raises SpoolError when the writer cannot."""

        def beat(store: Store) -> Effect:
            store.pulse()
            return Effect()

        await self._work(beat)

    async def close(self) -> None:
        """Finish what was asked, then give up threads, files and the lock. Harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._syncing.shutdown)
        await self._reader.close()
        await self._lists.close()
        await self._pages.close()
        self._writer.flush()
        await asyncio.to_thread(self._writer.stop)
        self._bodies.close()
        self._ownership.release()

    def _next_since(self) -> float:
        """The time, but later than the last one: what comes into a place later stands behind."""
        self._since = max(self._clock(), self._since + 1e-6)
        return self._since

    def _future(self) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = self._loop.create_future()
        if self._closed:
            future.set_exception(SpoolError("the spool is closed"))
        return future

    def _work(self, run: Callable[[Store], Effect]) -> "asyncio.Future[int]":
        future: asyncio.Future[int] = self._loop.create_future()
        if self._closed:
            future.set_exception(SpoolError("the spool is closed"))
        else:
            self._writer.submit(Work(future, run))
        return future

    def _set_aside(self, id: str, reason: str, with_bytes: bool) -> None:  # noqa: A002
        """Ask for a record to be quarantined; called on the reader's thread."""
        self._loop.call_soon_threadsafe(self._quarantine, id, reason, with_bytes)

    def _quarantine(self, id: str, reason: str, with_bytes: bool) -> None:  # noqa: A002
        def quarantine(store: Store) -> Effect:
            changes = store.set_aside(id, reason, self._clock(), with_bytes=with_bytes)
            return Effect(changes=changes, quarantined=len(changes), result=len(changes))

        def told(done: "asyncio.Future[int]") -> None:
            if error := done.exception():
                self._log.event("store-refused", level="error", what="quarantine", id=id, reason=f"{reason}; {error}")
            elif done.result():  # else it was removed while it was read: nothing is damaged
                self._log.event("spool-record-quarantined", level="error", id=id, reason=reason)

        self._work(quarantine).add_done_callback(told)


def _row(message: Message) -> Row:
    body, envelope = message.body, message.envelope
    return Row(
        id=envelope.id,
        due=_due(message),
        mask=mask(message.progress),
        accepted=envelope.accepted,
        body_size=body.size,
        file=body.path.name if body.path else None,
        envelope=encode_envelope(envelope),
        progress=encode_progress(message.progress),
        head=message.head,
        body=body.data if body.path is None else None,
    )


def _fate(message: Message, place: Place | None, since: float) -> Fate:
    columns = message.id, _due(message), mask(message.progress), encode_progress(message.progress)
    if place is None:
        return Fate(*columns)
    return Fate(*columns, place.awaits, message.envelope.party, since)._replace(due=_finite(place.until))


def _due(message: Message) -> float | None:
    return _finite(message.due)


def _finite(due: float) -> float | None:
    return None if due == float("inf") else due


def _bits(states: Iterable[State]) -> int:
    bits = 0
    for state in states:
        bits |= BITS[state] | (ON_HOLD if state is State.HELD else 0)
    return bits


def _fail(future: "asyncio.Future[None]", error: SpoolError) -> None:
    if not future.done():
        future.set_exception(error)
