"""What became of each message, also of those that have left: a bounded history that survives a restart.

`account` tells it of each transmission and `journal` of each order; `http` asks. An entry is a few values that are
there anyway; it becomes text and goes to the spool off the way of mail, after two seconds or when there are `FULL`,
and at a stop. So a crash forgets the last two seconds at most, and the oldest pages go when a shelf is full; of what
waits while the spool refuses, `PENDING` entries are kept. Transmissions that ended something have a shelf of their
own, so that the retries of a bad hour do not push out what was delivered. Failures: that a spool refuses is logged
once.
"""

import asyncio
import contextlib
from collections import deque

from mailhaul_relay.model.message import Message
from mailhaul_relay.model.transmission import Delivery
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.rounds import Batch
from mailhaul_relay.queue.story import Attempt, Note, Ordered, Story, attempt, line, origins_of, page, told
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

INTERVAL = 2.0
"""Seconds between two writes while little happens."""
FULL = 256
"""Entries upon which a write does not wait for its time: they are memory."""
PENDING = 5_000
"""Entries that wait for a write at most."""
PAGE = 128
"""Entries of one page; the last one is written anew until it is full."""
OCTETS = 8 * 1024 * 1024
"""Of each shelf: about 20 000 transmissions."""
_SLICE = 32
"""Entries that are encoded before others have their turn."""
ENDED, UNDER_WAY = "ended", "under-way"


class Chronicle:
    """The history of a relay's messages."""

    def __init__(self, spool: Spool, log: Log, clock: Clock) -> None:
        self._spool, self._log, self._clock = spool, log, clock
        self._shelves = {name: _Shelf(spool, name) for name in (ENDED, UNDER_WAY)}
        self._ended, self._under_way = (self._shelves[name].waiting for name in (ENDED, UNDER_WAY))
        self._full, self._lock = asyncio.Event(), asyncio.Lock()
        self._refused = False

    def add(self, message: Message, batch: Batch, delivery: Delivery, now: float) -> None:
        """Remember a transmission that came back at `now` (epoch seconds)."""
        entry = attempt(message, batch, delivery, now)
        waiting = self._ended if entry.has_ended else self._under_way
        waiting.append(entry)
        if len(waiting) >= FULL:
            self._full.set()

    def note(self, message: Message, verb: str, detail: str = "") -> None:
        """Remember what was done with a message apart from transmissions."""
        entry = Note(message.id, Ordered(self._clock(), verb, detail), origins_of(message))
        self._under_way.append(entry)

    async def story(self, message_id: str) -> Story:
        """Tell what is remembered of a message; when the spool cannot be read, what is in memory still."""
        # Memory first: what is written meanwhile leaves it, and may be in neither if the spool is read before.
        pages = [one for shelf in self._shelves.values() for one in shelf.about(message_id)]
        try:
            pages += await self._spool.pages_about(message_id)
        except SpoolError as error:
            self._log.event("store-refused", level="error", what="history", reason=str(error))
        return told(message_id, pages)

    async def run(self) -> None:
        """Write what waits, again and again, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), INTERVAL)
            # Under load the page that is begun will be full in a moment.
            whole = not self._full.is_set()
            self._full.clear()
            if not await self.flush(whole=whole):
                await asyncio.sleep(INTERVAL)

    async def flush(self, *, whole: bool = True) -> bool:
        """Write what waits now, or what fills pages of it; whether the spool took it."""
        async with self._lock:
            try:
                for shelf in self._shelves.values():
                    await shelf.flush(whole=whole)
            except SpoolError as error:
                if not self._refused:
                    self._log.event("store-refused", level="error", what="history", reason=str(error))
                self._refused = True
                return False
        self._refused = False
        return True


class _Shelf:
    """Pages of one kind: entries that wait, and the lines of the page that is begun."""

    def __init__(self, spool: Spool, name: str) -> None:
        self._spool, self._name = spool, name
        self.waiting: deque[Attempt | Note] = deque(maxlen=PENDING)
        self.lines: list[str] = []
        self._ids: dict[str, None] = {}
        self._number = 0
        self._written = 0

    def about(self, message_id: str) -> tuple[bytes, bytes]:
        """Give what is in memory: the page that is begun, and what waits of a message, as pages."""
        return page(self.lines), page(map(line, [one for one in self.waiting if one.id == message_id]))

    async def flush(self, *, whole: bool) -> None:
        """Write everything that waits, or full pages of it. Raises SpoolError; the lines go with the next write."""
        if not self._number and self.waiting:
            self._number = await self._spool.last_page(self._name) + 1
        while self.waiting or self._written < len(self.lines):
            await self._encode()
            lines = len(self.lines)
            if lines < PAGE and not whole:
                return
            await self._spool.keep_page(self._name, self._number, self._ids, page(self.lines), OCTETS)
            self._written = lines
            if lines == PAGE:
                self._number += 1
                self.lines, self._ids, self._written = [], {}, 0

    async def _encode(self) -> None:
        """Turn what waits into lines, as many as the page has room for."""
        while self.waiting and len(self.lines) < PAGE:
            entry = self.waiting.popleft()
            self.lines.append(line(entry))
            self._ids[entry.id] = None
            if len(self.lines) % _SLICE == 0:
                await asyncio.sleep(0)
