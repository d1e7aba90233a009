"""A spool in memory, of equal rank with the real one: the same seam, the same answers, and faults on demand.

`fault` makes bodies and commits fail, `gate` holds commits back until it is set. Commits answer on a later turn of the
loop, as a real one does.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from mailhaul_relay.model.message import Body, Message, Progress, State
from mailhaul_relay.spool.interface import WHOLE, Counts, LastTurns, Meant, Narrowed, Pages, Place, SpoolError, Stored


class MemoryBody:
    """A body in memory; `spool.open_bodies` tells whether each was finished with or discarded."""

    def __init__(self, spool: "MemorySpool") -> None:
        self._spool = spool
        self._parts: list[bytes] = []
        self._size = 0
        self._open = True
        spool.open_bodies += 1

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes) -> None:
        if self._spool.fault is not None:
            raise self._spool.fault
        self._size += len(data)
        if self._spool.keeps_bytes:
            self._parts.append(data)

    def finish(self) -> Body:
        return Body(self._size, b"".join(self._parts))

    def discard(self) -> None:
        if self._open:
            self._open = False
            self._parts.clear()
            self._spool.open_bodies -= 1


class MemorySpool:
    """Keeps messages by id. `fault` is raised by every write and commit while it is set."""

    def __init__(self, *, keeps_bytes: bool = True) -> None:
        self.messages: dict[str, Message] = {}
        self.places_of: dict[str, Place] = {}
        """By message, those first that were put there first."""
        self.fault: SpoolError | None = None
        self.broken: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.open_bodies = 0
        self.keeps_bytes = keeps_bytes
        self.pages: dict[tuple[str, int], tuple[frozenset[str], bytes]] = {}
        self._remembered: dict[str, dict[str, Any]] = {}

    def new_body(self) -> MemoryBody:
        if self.fault is not None:
            raise self.fault
        return MemoryBody(self)

    def accept(self, message: Message) -> "asyncio.Future[None]":
        return self._commit(message)

    def update(self, message: Message, place: Place | None = None) -> "asyncio.Future[None]":
        known = self.messages.get(message.id)
        if known and self.fault is None and self.broken is None:
            self._put(message.id, place)
        return self._commit(replace(known, progress=message.progress)) if known else self._resolved(None)

    def remove(self, id: str) -> "asyncio.Future[None]":  # noqa: A002
        self.messages.pop(id, None)
        return self._resolved(None)

    async def load(self, id: str) -> Message | None:  # noqa: A002
        return self.messages.get(id)

    async def due(self, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        return self._first_due(now, limit, exclude)

    def _first_due(self, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        ready = [one for one in self.messages.values() if self._due(one) <= now and one.id not in exclude]
        return sorted(ready, key=self._due)[:limit]

    async def places(self) -> Sequence[str]:
        return sorted({place.awaits for id, place in self.places_of.items() if id in self.messages})  # noqa: A001

    async def waiting(self, awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]) -> Sequence[Message]:
        givers: dict[str, dict[str, list[Message]]] = {}
        for id, place in self.places_of.items():  # noqa: A001
            if place.awaits == awaits and id in self.messages and id not in exclude:
                envelope = self.messages[id].envelope
                if {envelope.giver, envelope.party} & last.without:
                    continue
                givers.setdefault(envelope.giver, {}).setdefault(envelope.party, []).append(self.messages[id])
        turns = {giver: _turns(parties, last.parties.get(giver, "")) for giver, parties in givers.items()}
        return _turns(turns, last.giver)[:limit]

    async def line_up(self, now: float, place: Place, limit: int, exclude: frozenset[str]) -> int:
        moved = self._first_due(now, limit, exclude)
        for one in moved:
            self._put(one.id, place)
        return len(moved)

    def _due(self, message: Message) -> float:
        place = self.places_of.get(message.id)
        return place.until if place else message.due

    def _put(self, id: str, place: Place | None) -> None:  # noqa: A002
        self.places_of.pop(id, None)
        if place:
            self.places_of[id] = place

    async def next_due(self, exclude: frozenset[str]) -> float | None:
        times = [self._due(one) for one in self.messages.values() if one.id not in exclude]
        times = [one for one in times if one != float("inf")]
        return min(times, default=None)

    async def list(self, states: Iterable[State], after: str, limit: int, narrowed: Narrowed = WHOLE) -> list[Stored]:
        wanted = set(states)
        found = [
            Stored(one.envelope, one.progress)
            for id, one in sorted(self.messages.items())  # noqa: A001
            if id > after
            and any(progress.state in wanted for progress in one.progress)
            and narrowed.since <= one.envelope.accepted <= narrowed.until
        ]
        return found[:limit]

    async def wake(self, now: float, states: Iterable[State], meant: Meant | None = None) -> int:
        wanted, woken = set(states), 0
        for id, one in self.messages.items():  # noqa: A001
            due = {
                i: _awake(p, now)
                for i, p in enumerate(one.progress)
                if p.is_open
                and p.state in wanted
                and not p.is_on_hold
                and id not in self.places_of
                and (meant is None or meant(p))
            }
            if due:
                self.messages[id] = one.with_progress(due)
                woken += 1
        return woken

    def counts(self) -> Counts:
        order = (State.QUEUED, State.DEFERRED, State.HELD, State.DEAD)
        on_hold = sum(
            all(not p.is_open or p.is_on_hold for p in m.progress) and any(p.is_on_hold for p in m.progress)
            for m in self.messages.values()
        )
        best = [min((order.index(p.state) for p in m.progress), default=0) for m in self.messages.values()]
        open_times = [
            m.envelope.accepted
            for m in self.messages.values()
            if any(p.is_open and not p.is_on_hold for p in m.progress)
        ]
        queued, deferred, held, dead = (best.count(i) for i in range(4))
        return Counts(queued, deferred, held, dead, oldest=min(open_times, default=0.0), on_hold=on_hold)

    async def remember(self, key: str, value: Mapping[str, Any]) -> None:
        if self.fault is not None:
            raise self.fault
        self._remembered[key] = dict(value)

    async def remembered(self) -> dict[str, dict[str, Any]]:
        return dict(self._remembered)

    async def keep_page(self, shelf: str, number: int, ids: Iterable[str], page: bytes, octets: int) -> None:  # noqa: ARG002
        if self.fault is not None:
            raise self.fault
        self.pages[shelf, number] = (frozenset(ids), page)

    async def pages_about(self, id: str) -> Pages:  # noqa: A002
        return [page for ids, page in self.pages.values() if id in ids]

    async def last_page(self, shelf: str) -> int:
        return max([number for name, number in self.pages if name == shelf], default=0)

    async def check(self) -> None:
        if self.fault is not None:
            raise self.fault

    async def close(self) -> None:
        return

    def _commit(self, message: Message) -> "asyncio.Future[None]":
        if self.fault is not None or self.broken is not None:
            return self._resolved(self.fault or self.broken)
        if self.gate.is_set():
            self.messages[message.id] = message
            return self._resolved(None)
        return asyncio.ensure_future(self._commit_later(message))

    async def _commit_later(self, message: Message) -> None:
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.messages[message.id] = message

    def _resolved(self, error: Exception | None) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        loop.call_soon(_resolve, future, error)
        return future


def _turns(queues: Mapping[str, Sequence[Message]], last: str) -> list[Message]:
    """One of each queue, the next one's first, then one more of each."""
    names = sorted(queues, key=lambda name: (name <= last, name))
    return [one for turn in zip_longest(*(queues[name] for name in names)) for one in turn if one is not None]


def _awake(progress: Progress, now: float) -> Progress:
    return replace(progress, due=now)


def _resolve(future: "asyncio.Future[None]", error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
