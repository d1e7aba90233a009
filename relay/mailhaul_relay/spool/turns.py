"""Reads what waits in places (`interface.Place`): which places there are, and whose mail of one comes next.

`reader` calls it on its thread. The index on (awaits, giver, since) is stepped over from name to name, so a backlog of
one giver costs no more than a single message of it. Raises sqlite3.Error.
"""

import sqlite3
from collections.abc import Iterator
from itertools import chain, islice, zip_longest

_PLACES = """
WITH RECURSIVE place(name) AS (
  SELECT min(awaits) FROM message WHERE awaits IS NOT NULL
  UNION ALL SELECT (SELECT min(awaits) FROM message WHERE awaits > name) FROM place WHERE name IS NOT NULL
) SELECT name FROM place WHERE name IS NOT NULL
"""
_GIVERS = """
WITH RECURSIVE turn(name) AS (
  SELECT min(giver) FROM message WHERE awaits = ?1 AND giver > ?2
  UNION ALL SELECT (SELECT min(giver) FROM message WHERE awaits = ?1 AND giver > name) FROM turn WHERE name IS NOT NULL
) SELECT name FROM turn WHERE name IS NOT NULL LIMIT ?3
"""
_WAITING = "SELECT id FROM message WHERE awaits=? AND giver=? ORDER BY since, id"


def places(connection: sqlite3.Connection) -> list[str]:
    """Give the names of all places where a message waits."""
    return [name for (name,) in connection.execute(_PLACES)]


def in_turn(connection: sqlite3.Connection, awaits: str, after: str, limit: int, exclude: frozenset[str]) -> list[str]:
    """Give ids of messages of a place as `Spool.waiting` does, perhaps fewer than there are."""
    givers = _givers(connection, awaits, after, limit)
    if not givers:
        return []
    each = -(-limit // len(givers))
    turns = zip_longest(*(_of(connection, awaits, giver, each, exclude) for giver in givers))
    return list(islice((one for one in chain.from_iterable(turns) if one is not None), limit))


def _givers(connection: sqlite3.Connection, awaits: str, after: str, limit: int) -> list[str]:
    following = [name for (name,) in connection.execute(_GIVERS, (awaits, after, limit))]
    if len(following) == limit or not after:
        return following
    first = connection.execute(_GIVERS, (awaits, "", limit - len(following)))
    return following + [name for (name,) in first if name <= after]


def _of(connection: sqlite3.Connection, awaits: str, giver: str, limit: int, exclude: frozenset[str]) -> Iterator[str]:
    rows = connection.execute(_WAITING, (awaits, giver))
    try:
        yield from islice((id for (id,) in rows if id not in exclude), limit)  # noqa: A001 - the column's own word
    finally:
        rows.close()
