"""What became of each message, also of those that have left: a bounded history that survives a restart.

`account` tells it of each transmission and `journal` of each order; `http` asks. An entry is a few values that are
there anyway; it becomes text and goes to the spool off the way of mail, every two seconds, and at a stop. So a crash
forgets the last two seconds, of more than `PENDING` entries in such a time the oldest are not kept, and the oldest
pages go when a shelf is full. Transmissions that ended something have a shelf of their own, so that the retries of a
bad hour do not push out what was delivered. Failures: a spool that refuses is logged, and what waits is kept.
"""

import asyncio
from collections import deque

from mailhaul_relay.model.message import Message
from mailhaul_relay.model.transmission import Delivery
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.rounds import Batch
from mailhaul_relay.queue.story import Attempt, Note, Ordered, Story, attempt, line, origins_of, page, told
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

INTERVAL = 2.0
"""Seconds between two writes."""
PENDING = 10_000
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
        self._lock = asyncio.Lock()

    def add(self, message: Message, batch: Batch, delivery: Delivery, now: float) -> None:
        """Remember a transmission that came back at `now` (epoch seconds)."""
        entry = attempt(message, batch, delivery, now)
        self._shelves[ENDED if entry.has_ended else UNDER_WAY].waiting.append(entry)

    def note(self, message: Message, verb: str, detail: str = "") -> None:
        """Remember what was done with a message apart from transmissions."""
        entry = Note(message.id, Ordered(self._clock(), verb, detail), origins_of(message))
        self._shelves[UNDER_WAY].waiting.append(entry)

    async def story(self, message_id: str) -> Story:
        """Tell what is remembered of a message. Raises SpoolError."""
        pages = await self._spool.pages_about(message_id)
        for shelf in self._shelves.values():
            pages += [page(shelf.lines), page(map(line, [one for one in shelf.waiting if one.id == message_id]))]
        return told(message_id, pages)

    async def run(self) -> None:
        """Write what waits, again and again, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits now."""
        async with self._lock:
            for name, shelf in self._shelves.items():
                try:
                    await shelf.flush()
                except SpoolError as error:
                    self._log.event("store-refused", level="error", what=f"chronicle/{name}", reason=str(error))


class _Shelf:
    """Pages of one kind: entries that wait, and the lines of the page that is begun."""

    def __init__(self, spool: Spool, name: str) -> None:
        self._spool, self._name = spool, name
        self.waiting: deque[Attempt | Note] = deque(maxlen=PENDING)
        self.lines: list[str] = []
        self._ids: dict[str, None] = {}
        self._number = 0
        self._written = 0

    async def flush(self) -> None:
        """Write everything that waits. Raises SpoolError; the lines stay, and go with the next write."""
        if not self._number and self.waiting:
            self._number = await self._spool.last_page(self._name) + 1
        while self.waiting or self._written < len(self.lines):
            await self._encode()
            lines = len(self.lines)
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
