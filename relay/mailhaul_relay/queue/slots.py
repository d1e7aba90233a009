"""Slots of a lane: at most so many transmissions at once, the givers of mail in turn, and their number may change.

A semaphore whose limit can be lowered while slots are taken: those under way go on, and nobody follows until there are
few enough. Whoever gives much mail waits behind itself: each giver's next transmission has its turn after one of every
other's. `lane` uses it. Nothing here can fail.
"""

import asyncio
from collections import deque


class Slots:
    """An asynchronous context manager: inside it a slot is held. `take` and `give_back` are the same for a giver."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """By giver; the first giver is the next one."""

    async def __aenter__(self) -> None:
        await self.take("")

    async def __aexit__(self, *_: object) -> None:
        self.give_back()

    async def take(self, giver: str) -> None:
        """Wait for a slot; the caller gives it back."""
        if self._taken < self.limit and not self._waiting:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(giver, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # it was given a slot at the moment it was cancelled
            else:
                self._forget(giver, turn)
            raise

    def resize(self, limit: int) -> None:
        """Allow another number from now on."""
        self.limit = limit
        self._next()

    def give_back(self) -> None:
        """Let the next one have it."""
        self._taken -= 1
        self._next()

    def _next(self) -> None:
        while self._waiting and self._taken < self.limit:
            giver = next(iter(self._waiting))
            turns = self._waiting.pop(giver)
            turn = turns.popleft()
            if turns:
                self._waiting[giver] = turns
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _forget(self, giver: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(giver)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[giver]
