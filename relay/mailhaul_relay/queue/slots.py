"""Slots of a lane: at most so many transmissions at once, first come first served, and their number may change.

A semaphore whose limit can be lowered while slots are taken: those under way go on, and nobody follows until there are
few enough. `lane` uses it. Nothing here can fail.
"""

import asyncio
from collections import deque


class Slots:
    """An asynchronous context manager: inside it a slot is held."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._taken < self.limit and not self._waiting:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # it was given a slot at the moment it was cancelled
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def resize(self, limit: int) -> None:
        """Allow another number from now on."""
        self.limit = limit
        self._next()

    def _give_back(self) -> None:
        self._taken -= 1
        self._next()

    def _next(self) -> None:
        while self._waiting and self._taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
