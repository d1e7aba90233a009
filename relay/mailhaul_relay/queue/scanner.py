"""Brings due mail from the spool into work whenever there is room; a message is never in memory only.

`app` runs it; `engine` tells it of room. It sleeps until the next message falls due, is told of room, or a few
seconds have passed. Failures: a spool that cannot be read is tried again after a pause.
"""

import asyncio
import contextlib

from mailhaul_relay.model.message import Message
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.engine import Queue
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

AT_MOST = 5.0
"""Seconds between two looks, so that nothing depends on a wake-up alone."""
BATCH = 200
"""Messages that are loaded at once."""


class Scanner:
    """Looks for due messages. `kick` makes it look now."""

    def __init__(self, queue: Queue, spool: Spool, clock: Clock, log: Log) -> None:
        self._queue, self._spool = queue, spool
        self._clock, self._log = clock, log
        self._kicked = asyncio.Event()
        queue.on_room = self.kick

    def kick(self) -> None:
        """Look now."""
        self._kicked.set()

    async def run(self) -> None:
        """Look for due mail until cancelled."""
        while True:
            self._kicked.clear()
            try:
                pause = await self._look()
            except SpoolError as error:
                self._log.event("scan-refused", level="error", reason=str(error))
                pause = AT_MOST
            if pause > 0:
                await self._sleep(pause)

    async def _look(self) -> float:
        """Load what is due and fits; the seconds until the next look, 0 when more is due already."""
        room = min(self._queue.active.room, BATCH)
        if room <= 0:
            return AT_MOST
        self._queue.left_behind = False
        due, stale = await self._read(room)
        begun = [self._queue.begin(message) for message in due if message.id not in stale]
        if len(due) == room:
            self._queue.left_behind = True
            return 0.0 if any(begun) else AT_MOST
        following = await self._spool.next_due(self._queue.active.ids)
        return AT_MOST if following is None else min(AT_MOST, max(0.05, following - self._clock()))

    async def _read(self, room: int) -> tuple[list[Message], set[str]]:
        """Load due messages, and tell which of them were worked on while they were read."""
        stale: set[str] = set()
        self._queue.stale = stale
        try:
            return await self._spool.due(self._clock(), room, self._queue.active.ids), stale
        finally:
            self._queue.stale = None

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._kicked.wait(), seconds)
