"""Brings mail back from its place when an upstream that it awaits takes mail: givers and their domains in turn, no more
than fits.

`scanner` asks it at each look. Whether an upstream takes mail is known in memory, so a long queue for a dead one
costs a look at its name; its trial is one message, and after that twice as many each time. Failures: SpoolError.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from mailhaul_relay.model.message import Message
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.places import Awaited, awaited
from mailhaul_relay.queue.ways import Ways
from mailhaul_relay.spool.interface import NO_TURNS, LastTurns, Spool

REMEMBERED = 2000
"""Givers of a place of which it is known what domain had the last turn."""


@dataclass(slots=True)
class Turn:
    """A place from which messages may come now, so many of them, those next that come after the last. `is_stale`: it
    is of another configuration, and what waits there is to be looked at anew.
    """

    name: str
    limit: int
    last: LastTurns = NO_TURNS
    is_stale: bool = False


class Returner:
    """Which places have a turn now. It knows the places that it saw last, and nothing of a message."""

    def __init__(self, spool: Spool, ways: Ways, clock: Clock) -> None:
        self._spool, self._ways, self._clock = spool, ways, clock
        self._allowed: dict[str, int] = {}
        self._last: dict[str, LastTurns] = {}
        self._parties: dict[str, dict[str, str]] = {}
        self._turn = ""
        self.opens = inf
        """When the next upstream of a place is to be tried (epoch seconds), by the last look."""
        self.has_more = False
        """Whether a place waits for nothing but room, by the last look."""

    async def turns(self, running: Running, at_most: int) -> Iterator[Turn]:
        """Give the places that have a turn, beginning with another one each time. Raises SpoolError."""
        names = sorted(await self._spool.places())
        self._allowed = {name: self._allowed[name] for name in names if name in self._allowed}
        self._last = {name: self._last[name] for name in names if name in self._last}
        self._parties = {name: self._parties[name] for name in self._last}
        self.opens, self.has_more = inf, False
        following = [name for name in names if name > self._turn]
        return self._turns(following + names[: len(names) - len(following)], running, at_most)

    def _turns(self, names: list[str], running: Running, at_most: int) -> Iterator[Turn]:
        for name in names:
            wanted = awaited(running, name)
            turn = Turn(name, at_most, self._last.get(name, NO_TURNS), wanted is None)
            if wanted is not None:
                self._limit(turn, wanted)
            if turn.limit > 0:
                self._turn = name
                yield turn

    def took(self, turn: Turn, messages: Sequence[Message]) -> None:
        """Remember what came from a place: whose turn it was, and that more may come when all that could did."""
        if messages:
            parties = self._parties.setdefault(turn.name, {})
            remember(parties, messages)
            self._last[turn.name] = LastTurns(messages[-1].envelope.giver, parties)
        if len(messages) == turn.limit:
            self._allowed[turn.name] = max(2 * turn.limit, self._allowed.get(turn.name, 0))
            self.has_more = True

    def narrow(self, turn: Turn, room: int, crowding: frozenset[str]) -> None:
        """Let only so many messages come, and none of those who crowd, who wait on."""
        turn.limit = min(turn.limit, room)
        turn.last = replace(turn.last, without=turn.last.without | crowding)
        self.has_more = True

    def _limit(self, turn: Turn, wanted: tuple[Awaited, ...]) -> None:
        takers = [one.upstream for one in wanted if self._takes(one)]
        if wanted and not takers:
            self._allowed[turn.name] = 1
            turn.limit = 0
            return
        room = max(map(self._ways.room, takers), default=turn.limit)
        if room <= 0:
            self.narrow(turn, *max(map(self._ways.room_for_few, takers), key=lambda one: one[0]))
        else:
            turn.limit = min(room, turn.limit)
        turn.limit = min(turn.limit, self._allowed.get(turn.name, turn.limit))

    def _takes(self, one: Awaited) -> bool:
        way, now = self._ways.way(one.upstream), self._clock()
        if way is None or way.takes(now, important=one.important):
            return True
        if not way.on_trial and way.next_attempt > now:
            self.opens = min(self.opens, way.next_attempt)
        return False


def remember(parties: dict[str, str], messages: Sequence[Message]) -> None:
    """Note whose turn it was, by giver; of too many givers those are forgotten that came the longest ago."""
    for one in messages:
        giver = one.envelope.giver
        parties.pop(giver, None)
        parties[giver] = one.envelope.party
    while len(parties) > REMEMBERED:
        del parties[next(iter(parties))]
