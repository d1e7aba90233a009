"""Slots of a lane: at most so many transmissions at once, and whoever holds the fewest has the next one that is free.

A semaphore whose limit can be lowered while slots are taken: those under way go on, and nobody follows until there are
few enough. Turns alone would not do: who has the slowest transmissions would end up with all slots. So a slot goes to
the waiting giver that holds the fewest now, and of its domains to the one that holds the fewest; while nobody else
waits a party may hold all. `lane` uses it. Nothing here can fail.
"""

import asyncio
from collections import deque

from mailhaul_relay.model.party import SEPARATOR, giver_of
from mailhaul_relay.queue.line import Line


class Slots:
    """An asynchronous context manager: inside it a slot is held. `take` and `give_back` are the same for a party."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._held: dict[str, int] = {}
        self._held_by_giver: dict[str, int] = {}
        self._turns: dict[str, deque[asyncio.Future[None]]] = {}
        """By party that waits, in order of arrival."""
        self._givers = Line()
        self._parties: dict[str, Line] = {}
        """By giver that waits."""

    async def __aenter__(self) -> None:
        await self.take("")

    async def __aexit__(self, *_: object) -> None:
        self.give_back("")

    async def take(self, party: str) -> None:
        """Wait for a slot; the caller gives it back."""
        if self._taken < self.limit and not self._turns:
            self._hold(party)
            return
        turn = asyncio.get_running_loop().create_future()
        self._enter(party, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(party)  # it was given a slot at the moment it was cancelled
            else:
                self._forget(party, turn)
            raise

    def resize(self, limit: int) -> None:
        """Allow another number from now on."""
        self.limit = limit
        self._next()

    def give_back(self, party: str) -> None:
        """Let the next one have the slot that a party took."""
        self._let_go(party)
        if self._turns:
            self._next()

    def _next(self) -> None:
        while self._turns and self._taken < self.limit:
            party = self._parties[self._givers.first()].first()
            turns = self._turns[party]
            turn = turns.popleft()
            if not turns:
                self._leave(party)
            if not turn.done():
                self._hold(party)
                turn.set_result(None)

    def _hold(self, party: str) -> None:
        self._taken += 1
        giver = party.partition(SEPARATOR)[0]
        self._held[party] = of_party = self._held.get(party, 0) + 1
        self._held_by_giver[giver] = of_giver = self._held_by_giver.get(giver, 0) + 1
        if self._turns:
            self._moved(party, giver, of_party - 1, of_giver - 1, 1)

    def _let_go(self, party: str) -> None:
        self._taken -= 1
        giver = party.partition(SEPARATOR)[0]
        self._held[party] = of_party = self._held[party] - 1
        self._held_by_giver[giver] = of_giver = self._held_by_giver[giver] - 1
        if not of_party:
            del self._held[party]
        if not of_giver:
            del self._held_by_giver[giver]
        if self._turns:
            self._moved(party, giver, of_party + 1, of_giver + 1, -1)

    def _moved(self, party: str, giver: str, of_party: int, of_giver: int, by: int) -> None:
        """Give a party that waits, and its giver, another place in line: they held so many and hold `by` more."""
        parties = self._parties.get(giver)
        if parties is None:
            return
        self._givers.drop(giver, of_giver)
        self._givers.add(giver, of_giver + by)
        if party in self._turns:
            parties.drop(party, of_party)
            parties.add(party, of_party + by)

    def _enter(self, party: str, turn: asyncio.Future[None]) -> None:
        turns = self._turns.get(party)
        if turns is not None:
            turns.append(turn)
            return
        self._turns[party] = deque((turn,))
        giver = giver_of(party)
        parties = self._parties.get(giver)
        if parties is None:
            parties = self._parties[giver] = Line()
            self._givers.add(giver, self._held_by_giver.get(giver, 0))
        parties.add(party, self._held.get(party, 0))

    def _leave(self, party: str) -> None:
        """Take a party out of the line, for none of its mail waits."""
        del self._turns[party]
        giver = giver_of(party)
        parties = self._parties[giver]
        parties.drop(party, self._held.get(party, 0))
        if not parties:
            del self._parties[giver]
            self._givers.drop(giver, self._held_by_giver.get(giver, 0))

    def _forget(self, party: str, turn: asyncio.Future[None]) -> None:
        turns = self._turns.get(party)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                self._leave(party)
