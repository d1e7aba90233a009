"""The rate limit of one upstream: at most so many transactions begun in any span of so many seconds.

`lane` asks for a turn before each transaction. Nothing here can fail.
"""

import asyncio
from collections import deque

from mailhaul_contract.upstream import RateLimit


class Pace:
    """Turns in order of asking. Without a limit every turn is at once."""

    def __init__(self, limit: RateLimit | None) -> None:
        self.is_limited = limit is not None
        self._per = float(limit.per) if limit else 0.0
        self._turns: deque[float] | None = deque(maxlen=limit.messages) if limit else None
        self._released = asyncio.Event()

    async def turn(self) -> None:
        """Wait until one more transaction may begin, or until everybody is released."""
        if self._turns is None:
            return
        now = asyncio.get_running_loop().time()
        full = len(self._turns) == self._turns.maxlen
        start = max(now, self._turns[0] + self._per) if full else now
        self._turns.append(start)
        if start > now:
            await self._pause(start - now)

    def release(self) -> None:
        """Let everybody who waits go: the lane has stopped, and they will find it so."""
        self._released.set()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._released.wait(), seconds)
        except TimeoutError:
            return
