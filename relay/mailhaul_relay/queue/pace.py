"""The rate limit of one upstream: at most so many transactions begun in any span of so many seconds, fewer while the
upstream asks for less.

`lane` asks for a turn before each transaction. Nothing here can fail.
"""

import asyncio
from collections import deque

from mailhaul_contract.upstream import RateLimit


class Pace:
    """Turns in order of asking. Without a limit every turn is at once. `level` is the part of the rate in use. What
    began at the pace `before` it, the same provider's, counts here too.
    """

    def __init__(self, limit: RateLimit | None, before: "Pace | None" = None) -> None:
        self.is_limited = limit is not None
        self.level = 1.0
        self._per = float(limit.per) if limit else 0.0
        began = before.began if before else ()
        self._turns: deque[float] | None = deque(began, limit.messages) if limit else None
        self.began: deque[float] = deque(began, limit.messages if limit else 0)
        """The turns that were taken; those who wait have theirs in `_turns` already, and may be released without it."""
        self._released = asyncio.Event()

    async def turn(self) -> None:
        """Wait until one more transaction may begin, or until everybody is released."""
        if self._turns is None:
            return
        now = asyncio.get_running_loop().time()
        start = self._earliest(self._turns, now)
        self._turns.append(start)
        if start > now:
            await self._pause(start - now)
        if not self._released.is_set():
            self.began.append(start)

    def _earliest(self, turns: deque[float], now: float) -> float:
        """When the next may begin. At less than the full rate they come one by one: a burst at the old rate, followed
        by a long pause, would be answered as before.
        """
        if len(turns) == turns.maxlen:
            now = max(now, turns[0] + self._per)
        if turns and turns.maxlen and self.level < 1:
            now = max(now, turns[-1] + self._per / turns.maxlen / self.level)
        return now

    def release(self) -> None:
        """Let everybody who waits go: the lane has stopped, and they will find it so."""
        self._released.set()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._released.wait(), seconds)
        except TimeoutError:
            return
