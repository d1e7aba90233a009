"""Wakes what waits when there is new hope: an upstream takes mail again, or the configuration changed.

What awaits an upstream lies in its place and needs no waking. When one takes mail again, mail is woken that it was
asked last about, that none was asked about, or whose From was refused, for who refuses it is passed over. The rest
keeps its back-off: an upstream that comes and goes is no reason to try mail at the others.

`ways` and `app` call it; nobody waits for it. Several calls at once are one. Failures: a store that refuses is tried
again; the messages fall due by themselves at the latest.
"""

import asyncio
from functools import partial

from mailhaul_relay.model.message import Progress, State
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.engine import Queue
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

RETRY = 2.0
"""Seconds until a store that refused is asked again."""
_STATES = (State.HELD, State.DEFERRED)


class Waker:
    """Makes held and deferred mail due now."""

    def __init__(self, queue: Queue, spool: Spool, clock: Clock, log: Log) -> None:
        self._queue, self._spool = queue, spool
        self._clock, self._log = clock, log
        self._task: asyncio.Task[None] | None = None
        self._all = False
        self._upstreams: set[str] = set()

    def wake(self) -> None:
        """Ask for it, for all that waits; it happens soon."""
        self._all = True
        self._begin()

    def reopened(self, upstream: str) -> None:
        """Ask for it for what may leave sooner now that an upstream takes mail again."""
        self._upstreams.add(upstream)
        self._begin()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while self._all or self._upstreams:
            everything, upstreams = self._all, frozenset(self._upstreams)
            self._all, self._upstreams = False, set()
            meant = None if everything else partial(_may_leave, upstreams)
            try:
                woken = await self._spool.wake(self._clock(), _STATES, meant)
            except SpoolError as error:
                self._log.event("wake-refused", level="error", reason=str(error))
                self._all, self._upstreams = self._all or everything, self._upstreams | upstreams
                await asyncio.sleep(RETRY)
            else:
                if woken:
                    self._log.event("woken", messages=woken)
                self._queue.kick()


def _may_leave(upstreams: frozenset[str], progress: Progress) -> bool:
    """Whether a recipient may leave sooner because these upstreams take mail again."""
    last = progress.upstream
    return not last or last in upstreams or progress.fault == Fault.SENDER.value
