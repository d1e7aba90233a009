"""One writing connection and what can be done with it in a transaction; SQL that changes anything is here only.

`committer` drives it in the writer's thread. Few statements for many rows: each step of a statement gives up the
interpreter's lock and must win it back from a busy event loop. Raises sqlite3.Error; what a failure means for a batch
is the committer's matter.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mailhaul_relay.spool.census import Change
from mailhaul_relay.spool.codec import OPEN

_ROWS = 8
"""Rows of one INSERT at most; a statement for each number stays prepared, and keeps the bytes of its last rows."""


class Row(NamedTuple):
    """A new message: the columns of `message` but for the key, then its bytes (`body` None when it is in `file`)."""

    id: str
    due: float | None
    mask: int
    accepted: float
    body_size: int
    file: str | None
    envelope: str
    progress: str
    head: bytes
    body: bytes | None


class Fate(NamedTuple):
    """The columns that an update changes."""

    id: str
    due: float | None
    mask: int
    progress: str


def _inserts(table: str, columns: int) -> dict[int, str]:
    row = f"({','.join('?' * columns)})"
    return {size: f"INSERT INTO {table} VALUES {','.join([row] * size)}" for size in range(1, _ROWS + 1)}  # noqa: S608 - constants


_MESSAGES = _inserts("message", 9)
_CONTENTS = _inserts("content", 3)


class Store:
    """The spool's database as its writer sees it. Not safe for threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
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
                self._connection.execute("UPDATE message SET due=?2, mask=?3, progress=?4 WHERE id=?1", fate)
                changes.append(Change(before[0], fate.mask, before[1]))
        return changes

    def delete(self, ids: Sequence[str]) -> tuple[list[Change], list[str]]:
        """Remove messages, those that are there; gives the names of their body files."""
        wanted = json.dumps(ids)
        found = json.loads(
            self._connection.execute(
                "SELECT json_group_array(json_array(key, mask, CAST(accepted AS INTEGER), file)) FROM message"
                " WHERE id IN (SELECT value FROM json_each(?))",
                (wanted,),
            ).fetchone()[0]
        )
        keys = json.dumps([row[0] for row in found])
        self._connection.execute("DELETE FROM content WHERE key IN (SELECT value FROM json_each(?))", (keys,))
        self._connection.execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
        return [Change(row[1], 0, row[2]) for row in found], [row[3] for row in found if row[3]]

    def set_aside(self, id: str, reason: str, now: float) -> list[Change]:  # noqa: A002 - the field's own word
        """Move a message to the quarantine with all its bytes."""
        before = self._connection.execute("SELECT mask, accepted FROM message WHERE id=?", (id,)).fetchone()
        if not before:
            return []
        self._connection.execute(
            "INSERT INTO quarantine (id, at, reason, envelope, progress, body_size, file, head, body)"
            " SELECT id, ?, ?, envelope, progress, body_size, file, head, body"
            " FROM message LEFT JOIN content USING (key) WHERE id=?",
            (now, reason, id),
        )
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
        """Give (id, envelope, progress) of open messages with a recipient in these states, in order of id."""
        return self._connection.execute(
            f"SELECT id, envelope, progress FROM message WHERE id > ? AND mask & ? & {OPEN} ORDER BY id LIMIT ?",  # noqa: S608
            (after, mask, limit),
        ).fetchall()

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
