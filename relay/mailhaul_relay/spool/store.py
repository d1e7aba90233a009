"""One writing connection and what can be done with it in a transaction; SQL that changes anything is here only.

`committer` drives it in the writer's thread. Few statements for many rows: each step of a statement gives up the
interpreter's lock and must win it back from a busy event loop. Raises sqlite3.Error; what a failure means for a batch
is the committer's matter.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mailhaul_relay.spool import express
from mailhaul_relay.spool.census import Change
from mailhaul_relay.spool.codec import OPEN
from mailhaul_relay.spool.rows import COLUMNS, Fate, Row

_ROWS = 8
"""Rows of one INSERT at most; a statement for each number stays prepared, and keeps the bytes of its last rows."""


def _inserts(table: str, columns: int) -> dict[int, str]:
    row = f"({','.join('?' * columns)})"
    return {size: f"INSERT INTO {table} VALUES {','.join([row] * size)}" for size in range(1, _ROWS + 1)}  # noqa: S608 - constants


_MESSAGES = _inserts(f"message ({COLUMNS})", 9)
_CONTENTS = _inserts("content", 3)


_UPDATE = "UPDATE message SET due=?2, mask=?3, progress=?4, awaits=?5, giver=?6, since=?7 WHERE id=?1"

_SET_ASIDE = (
    "INSERT INTO quarantine (id, at, reason, envelope, progress, body_size, file{})"
    " SELECT id, ?, ?, envelope, progress, body_size, file{} FROM message{} WHERE id=?"
)
_WITHOUT_BYTES = _SET_ASIDE.format("", "", "")
_WITH_BYTES = _SET_ASIDE.format(", head, body", ", head, body", " LEFT JOIN content USING (key)")

_RECENT = 4096
"""Messages of which it is known what the database has of them."""


class _Known(NamedTuple):
    mask: int
    accepted: float
    file: str | None


class Store:
    """The spool's database as its writer sees it. Not safe for threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        express.prepare(connection)
        self._recent: dict[str, _Known] = {}
        (self._key,) = connection.execute("SELECT coalesce(max(key), 0) FROM content").fetchone()

    @property
    def in_transaction(self) -> bool:
        """Whether SQLite still has a transaction open (it ends some by itself when the disk fails)."""
        return self._connection.in_transaction

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement to its end."""
        return self._connection.execute(sql, values).fetchall()

    def insert(self, rows: Sequence[Row]) -> list[Change]:
        """Add messages. IntegrityError when an id is already there."""
        messages: list[object] = []
        contents: list[object] = []
        for row in rows:
            self._key += 1
            messages += (row.id, self._key, *row[1:8])
            contents += (self._key, row.head, row.body)
        self._insert(_CONTENTS, contents, 3)
        self._insert(_MESSAGES, messages, 9)
        return [Change(0, row.mask, row.accepted) for row in rows]

    def _insert(self, statements: dict[int, str], values: list[object], columns: int) -> None:
        start, rows = 0, len(values) // columns
        while start < rows:
            size = min(_ROWS, rows - start)
            self._connection.execute(statements[size], values[start * columns : (start + size) * columns])
            start += size

    def update(self, fates: Iterable[Fate]) -> list[Change]:
        """Change messages' progress; one that is gone stays gone."""
        changes = []
        for fate in fates:
            before = self._connection.execute("SELECT mask, accepted FROM message WHERE id=?", (fate.id,)).fetchone()
            if before:
                self._connection.execute(_UPDATE, fate)
                changes.append(Change(before[0], fate.mask, before[1]))
        return changes

    def due(self, now: float, limit: int) -> list[tuple[str, str]]:
        """Give (id, envelope) of messages that are due, the longest due first."""
        return self._connection.execute(
            "SELECT id, envelope FROM message WHERE due <= ? ORDER BY due, id LIMIT ?", (now, limit)
        ).fetchall()

    def put(self, places: Iterable[tuple[float, str, str, float, str]]) -> None:
        """Put messages into places: (due, awaits, party, since, id) of each."""
        self._connection.executemany("UPDATE message SET due=?, awaits=?, giver=?, since=? WHERE id=?", places)

    def express(self, rows: Sequence[Row], gone: Sequence[str]) -> tuple[list[Change], list[str]]:
        """Add and remove messages in a transaction of its own, in one step; as `insert` and `delete`."""
        gone = tuple(dict.fromkeys(gone))
        come = {row.id: _Known(row.mask, row.accepted, row.file) for row in rows}
        known = [come.get(one) or self._recent.get(one) for one in gone]
        strange = [one for one, found in zip(gone, known, strict=True) if found is None]
        found = [_Known(*one[1:]) for one in self._found(strange)] if strange else []
        express.run(self._connection, self._key + 1, rows, gone)
        self._key += len(rows)
        self._remember(come, gone)
        left = [one for one in known if one is not None] + found
        changes = [Change(0, row.mask, row.accepted) for row in rows] + [
            Change(one.mask, 0, one.accepted) for one in left
        ]
        return changes, [one.file for one in left if one.file]

    def _remember(self, come: "dict[str, _Known]", gone: Sequence[str]) -> None:
        """Know what came a moment ago, for it will leave in a moment: a question to the database less."""
        if len(self._recent) > _RECENT:
            self._recent.clear()
        self._recent.update(come)
        for one in gone:
            self._recent.pop(one, None)

    def forget(self) -> None:
        """Know nothing of what came: something else changes it now."""
        self._recent.clear()

    def delete(self, ids: Sequence[str]) -> tuple[list[Change], list[str]]:
        """Remove messages, those that are there; gives the names of their body files."""
        wanted = json.dumps(ids)
        found = self._found(ids)
        keys = json.dumps([row[0] for row in found])
        self._connection.execute("DELETE FROM content WHERE key IN (SELECT value FROM json_each(?))", (keys,))
        self._connection.execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
        return [Change(row[1], 0, row[2]) for row in found], [row[3] for row in found if row[3]]

    def _found(self, ids: Sequence[str]) -> list[Any]:
        """Give key, states, time and body file of those messages that are there."""
        sql = (
            "SELECT json_group_array(json_array(key, mask, CAST(accepted AS INTEGER), file)) FROM message"
            " WHERE id IN (SELECT value FROM json_each(?))"
        )
        found: list[Any] = json.loads(self._connection.execute(sql, (json.dumps(ids),)).fetchone()[0])
        return found

    def set_aside(self, id: str, reason: str, now: float, *, with_bytes: bool = True) -> list[Change]:  # noqa: A002
        """Move a message to the quarantine with all its bytes; or leave those where they are, for one read of a damaged
        page is enough to make SQLite refuse the whole transaction.
        """
        before = self._connection.execute("SELECT mask, accepted FROM message WHERE id=?", (id,)).fetchone()
        if not before:
            return []
        self._connection.execute(_WITH_BYTES if with_bytes else _WITHOUT_BYTES, (now, reason, id))
        if with_bytes:
            self._connection.execute("DELETE FROM content WHERE key=(SELECT key FROM message WHERE id=?)", (id,))
        self._connection.execute("DELETE FROM message WHERE id=?", (id,))
        return [Change(int(before[0]), 0, float(before[1]))]

    def remember(self, key: str, value: str) -> None:
        """Keep a text under a key."""
        self._connection.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (key, value))

    def pulse(self) -> None:
        """Change something small."""
        self._connection.execute("UPDATE pulse SET count = count + 1")

    def open_in(self, mask: int, after: str, limit: int) -> list[tuple[str, str, str]]:
        """Give (id, envelope, progress) of the next messages in order of id that are open, have a recipient in these
        states and no place; at most so many are looked at.
        """
        return self._connection.execute(
            "SELECT id, envelope, progress FROM"  # noqa: S608 - a constant
            " (SELECT id, mask, awaits, envelope, progress FROM message WHERE id > ? ORDER BY id LIMIT ?)"
            f" WHERE mask & ? & {OPEN} AND awaits IS NULL",
            (after, limit, mask),
        ).fetchall()

    def after(self, id: str, count: int) -> str | None:  # noqa: A002 - the field's own word
        """Give the id that comes so many messages after another, None when there are fewer."""
        sql = "SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
        found = self._connection.execute(sql, (id, count - 1)).fetchone()
        return str(found[0]) if found else None

    def checkpoint(self) -> None:
        """Carry the log over into the database as far as readers let it."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def give_back(self, slack: int, pages: int) -> bool:
        """Return at most so many free pages beyond the slack to the disk (with the next checkpoint); whether any."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        if free <= slack:
            return False
        # A script is stepped to its end; execute stops after the first page, which comes as a row without columns.
        self._connection.executescript(f"PRAGMA incremental_vacuum({min(pages, free - slack)})")
        return True

    def empty_log(self) -> bool:
        """Carry all of the log over and give its space back; False when a reader keeps it from that."""
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Close the connection; SQLite carries the log over when nobody else has the database open."""
        self._connection.close()
