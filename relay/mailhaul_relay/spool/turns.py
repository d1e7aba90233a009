"""Reads what waits in places (`interface.Place`): which places there are, and whose mail of one comes next.

`reader` calls it on its thread. The index on (awaits, giver, since) has in `giver` the party of each message. It is
stepped over from name to name, so a backlog of one party costs no more than a single message of it, and a giver with a
backlog for thousands of domains no more than one domain. Raises sqlite3.Error.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from mailhaul_relay.model.party import behind, following, giver_of
from mailhaul_relay.spool.interface import LastTurns

_PLACES = """
WITH RECURSIVE place(name) AS (
  SELECT min(awaits) FROM message WHERE awaits IS NOT NULL
  UNION ALL SELECT (SELECT min(awaits) FROM message WHERE awaits > name) FROM place WHERE name IS NOT NULL
) SELECT name FROM place WHERE name IS NOT NULL
"""
_FIRST = "SELECT min(giver) FROM message WHERE awaits=? AND giver>=? AND giver<?"
_WAITING = "SELECT since, id FROM message WHERE awaits=? AND giver=? AND (since, id)>(?, ?) ORDER BY since, id LIMIT ?"
_END = "\U0010ffff"
"""Greater than any name."""
_MOST = 256
"""Rows that are read at once."""


def places(connection: sqlite3.Connection) -> list[str]:
    """Give the names of all places where a message waits."""
    return [name for (name,) in connection.execute(_PLACES)]


class Turns:
    """One place. No statement stays open between two steps, so that no reader keeps the log from being emptied."""

    def __init__(self, connection: sqlite3.Connection, awaits: str, exclude: frozenset[str]) -> None:
        self._connection, self._awaits, self._exclude = connection, awaits, exclude

    def ids(self, last: LastTurns, limit: int) -> list[str]:
        """Give ids of messages as `Spool.waiting` does."""
        givers = (self._of_giver(giver, last) for giver in self._givers(last.giver) if giver not in last.without)
        return list(islice(_in_turn(givers), limit))

    def _of_giver(self, giver: str, last: LastTurns) -> Iterator[str]:
        parties = self._parties(giver, last.parties.get(giver, ""))
        return _in_turn(self._of_party(party) for party in parties if party not in last.without)

    def _of_party(self, party: str) -> Iterator[str]:
        last, size = (-1.0, ""), 1
        while True:
            rows = self._connection.execute(_WAITING, (self._awaits, party, *last, size)).fetchall()
            yield from (id for _, id in rows if id not in self._exclude)  # noqa: A001 - the column's own word
            if len(rows) < size:
                return
            last, size = rows[-1], min(4 * size, _MOST)

    def _givers(self, last: str) -> Iterator[str]:
        ranges = ((behind(last), _END), ("", behind(last))) if last else (("", _END),)
        for start, end in ranges:
            least = start
            while party := self._first(least, end):
                yield giver_of(party)
                least = behind(giver_of(party))

    def _parties(self, giver: str, last: str) -> Iterator[str]:
        end = behind(giver)
        ranges = ((following(last), end), (giver, following(last))) if last else ((giver, end),)
        for start, stop in ranges:
            least = start
            while party := self._first(least, stop):
                yield party
                least = following(party)

    def _first(self, least: str, end: str) -> str | None:
        (found,) = self._connection.execute(_FIRST, (self._awaits, least, end)).fetchone()
        return str(found) if found is not None else None


def _in_turn(queues: Iterable[Iterator[str]]) -> Iterator[str]:
    """Give one of each, then one more of each that has more; a queue is not looked at before its first turn."""
    waiting: deque[Iterator[str]] = deque()
    for queue in queues:
        for one in islice(queue, 1):
            waiting.append(queue)
            yield one
    while waiting:
        queue = waiting.popleft()
        for one in islice(queue, 1):
            waiting.append(queue)
            yield one
