"""Which resource is looked at next: every key once, one pass a key at a time, later ones at their time.

`handlers` add keys for edges; a pass says when it wants to come again; `serve` runs the queue. Somebody waits for what
an edge brings, so edges overtake the backlog of a start or a resync, and so does what their passes want in turn; every
fourth pass is that of the key that has waited longest, so nothing starves (`waiting`). Time is the event loop's, chance
is given, so tests run it in virtual time. A pass that raises or takes too long is tried again, ever later; it never
ends the queue.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from random import random

from mailhaul_operator.reconcile.waiting import EDGE, Rank, Waiting
from mailhaul_operator.wire.key import Key

Work = Callable[[Key], Awaitable[float | None]]
"""One pass. Gives the seconds after which it wants to come again; None when the resource is gone."""
_HURRIED: ContextVar[bool] = ContextVar("hurried", default=True)
"""Whether what is wanted here is an edge: outside of passes always, within one when that was due by an edge."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A pass that ended: how long it took in seconds, and what it raised."""

    key: Key
    seconds: float
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Bounds of a queue, in seconds but for `workers`. `settle` is how long an edge waits for those that come with it;
    `first` and `most` bound the delay after failures, which doubles each time.
    """

    workers: int = 32
    settle: float = 0.05
    first: float = 0.5
    most: float = 60
    longest_pass: float = 60

    def delay(self, failures: int, chance: float) -> float:
        """Give the delay after so many failures in a row (at least 1); `chance` in [0, 1) takes up to half of it."""
        whole = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return whole * (1 - chance / 2)


class WorkQueue:
    """Runs passes, at most `pace.workers` at once. `rank` orders keys that no edge made due, small ones first."""

    def __init__(
        self,
        work: Work,
        ended: Callable[[Turn], None] = lambda _: None,
        pace: Pace = Pace(),
        chance: Callable[[], float] = random,
        rank: Rank = lambda _: 0,
    ) -> None:
        self._work, self._ended, self._pace, self._chance = work, ended, pace, chance
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._hurried: set[Key] = set()
        self._waiting = Waiting(rank)
        self._running: dict[Key, float] = {}
        self._again: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._filled = asyncio.Semaphore(0)

    @property
    def depth(self) -> int:
        """How many keys are due and wait for a worker."""
        return len(self._waiting)

    def longest_running(self) -> float:
        """Give for how many seconds the oldest pass has been running; 0 when none is."""
        return asyncio.get_running_loop().time() - min(self._running.values()) if self._running else 0.0

    def add(self, key: Key) -> None:
        """Want a pass as soon as what came with this edge is here too."""
        if _HURRIED.get():
            self._hurried.add(key)
            self._waiting.hurry(key)
        self.add_after(key, self._pace.settle)

    def add_after(self, key: Key, delay: float) -> None:
        """Want a pass after so many seconds at the latest; an earlier wish stays."""
        self._want(key, asyncio.get_running_loop().time() + delay)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._pace.workers):
                    group.create_task(self._worker())
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def _want(self, key: Key, when: float) -> None:
        if key in self._running:
            self._again[key] = min(when, self._again.get(key, when))
            return
        timer = self._timers.get(key)
        if key in self._waiting or (timer is not None and timer.when() <= when):
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(when, self._due, key)

    def _due(self, key: Key) -> None:
        del self._timers[key]
        self._waiting.add(key, EDGE if key in self._hurried else None)
        self._filled.release()

    async def _worker(self) -> None:
        while True:
            await self._filled.acquire()
            await self._turn(self._waiting.take())

    async def _turn(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        begun = self._running[key] = loop.time()
        _HURRIED.set(key in self._hurried)
        self._hurried.discard(key)
        error: Exception | None = None
        later: float | None = None
        try:
            async with asyncio.timeout(self._pace.longest_pass):
                later = await self._work(key)
        except Exception as raised:  # noqa: BLE001 - one resource never ends the operator; `ended` tells it
            error = raised
        finally:
            del self._running[key]
        again = self._again.pop(key, None)
        self._ended(Turn(key, loop.time() - begun, error))
        later = self._after_failure(key) if error else self._after_success(key, later)
        for when in (again, None if later is None else loop.time() + later):
            if when is not None:
                self._want(key, when)

    def _after_success(self, key: Key, later: float | None) -> float | None:
        self._failures.pop(key, None)
        return later

    def _after_failure(self, key: Key) -> float:
        self._failures[key] = self._failures.get(key, 0) + 1
        return self._pace.delay(self._failures[key], self._chance())
