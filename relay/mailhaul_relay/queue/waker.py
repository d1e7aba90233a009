"""Wakes what waits when there is new hope: an upstream takes mail again, or the configuration changed.

`ways` and `app` call it; nobody waits for it. Several calls at once are one. Failures: a store that refuses is tried
again; the messages fall due by themselves at the latest.
"""

import asyncio

from mailhaul_relay.model.message import State
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.engine import Queue
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

RETRY = 2.0
"""Seconds until a store that refused is asked again."""


class Waker:
    """Makes held and deferred mail due now."""

    def __init__(self, queue: Queue, spool: Spool, clock: Clock, log: Log) -> None:
        self._queue, self._spool = queue, spool
        self._clock, self._log = clock, log
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def wake(self) -> None:
        """Ask for it; it happens soon."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while self._again:
            self._again = False
            try:
                woken = await self._spool.wake(self._clock(), (State.HELD, State.DEFERRED))
            except SpoolError as error:
                self._log.event("wake-refused", level="error", reason=str(error))
                self._again = True
                await asyncio.sleep(RETRY)
            else:
                if woken:
                    self._log.event("woken", messages=woken)
                self._queue.kick()
