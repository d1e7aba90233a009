"""The built-in inbox: keeps what a capture upstream took, for somebody to look at; never a way to lose mail unseen.

`capture` stores, `http.inbox_routes` shows. One SQLite file `inbox.db` in the spool directory, written and synced in a
thread of its own. It is bounded: the newest 1000 messages and 256 MiB stay, older ones make room. It opens at the
first use, so a relay without a capture upstream has no such file. Failures: OSError or sqlite3.Error, and nothing was
stored.
"""

import asyncio
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MAX_MESSAGES = 1000
MAX_BYTES = 256 * 1024 * 1024
FILE = "inbox.db"

_T = TypeVar("_T")
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS captured (
  key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, time REAL NOT NULL, upstream TEXT NOT NULL,
  sender TEXT NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
"""
_COLUMNS = "key, id, time, upstream, sender, recipients, subject, size"


@dataclass(frozen=True, slots=True)
class Captured:
    """One captured transaction. `key` counts up; `id` is the message's id, which several may share (one for each
    transaction). `size` is in bytes as `content` has them, `time` in seconds since the epoch.
    """

    key: int
    id: str
    time: float
    upstream: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    size: int


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was looked for, the newest first; `matching` of `total` messages fit, on all pages together.

    `has_more` tells whether older ones fit too. `newest` is the largest key that the inbox had then, 0 when it was
    empty: what comes later has a larger one.
    """

    messages: tuple[Captured, ...]
    has_more: bool
    matching: int
    total: int
    newest: int


class Inbox:
    """The store. Every method may be called from the event loop; the work is done in the inbox's own thread."""

    def __init__(self, directory: Path, messages: int = MAX_MESSAGES, octets: int = MAX_BYTES) -> None:
        self._path = directory / FILE
        self._messages, self._octets = messages, octets
        self._thread = ThreadPoolExecutor(1, "inbox")
        self._connection: sqlite3.Connection | None = None
        self._life, self._changes = secrets.token_hex(4), 0

    @property
    def version(self) -> str:
        """A word that is another one after each change, for pages that show what is there; it costs nothing."""
        return f"{self._life}-{self._changes}"

    async def store(self, captured: Captured, content: Callable[[], bytes]) -> None:
        """Store a message durably (its `key` and `size` are given here); `content` is read in the thread."""
        await self._run(lambda: self._store(captured, content()))

    async def list(self, limit: int = 100, before: int = 0) -> tuple[Captured, ...]:
        """Give the newest first; `before` a key gives those that are older than it."""
        bound = before or 2**62
        query = f"SELECT {_COLUMNS} FROM captured WHERE key < ? ORDER BY key DESC LIMIT ?"  # noqa: S608 - a constant
        return tuple(map(_captured, await self._run(lambda: self._open().execute(query, (bound, limit)).fetchall())))

    async def find(self, fits: Callable[[Captured], bool], limit: int, before: int = 0) -> Found:
        """Give the newest for which `fits` is true, asked in the thread; `before` as in `list`."""
        return await self._run(lambda: self._find(fits, limit, before or 2**62))

    async def delete(self, key: int) -> bool:
        """Delete one message; whether it was there."""
        return bool(await self._run(lambda: self._delete((key,))))

    async def clear(self, fits: Callable[[Captured], bool], up_to: int) -> int:
        """Delete all for which `fits` is true and whose key is at most `up_to`; gives how many there were."""
        return await self._run(
            lambda: self._delete(tuple(one.key for one in self._rows() if one.key <= up_to and fits(one)))
        )

    async def load(self, key: int) -> tuple[Captured, bytes] | None:
        """Give one message with its bytes, None when it is not there (any more)."""
        query = f"SELECT {_COLUMNS}, content FROM captured WHERE key = ?"  # noqa: S608 - a constant
        row = await self._run(lambda: self._open().execute(query, (key,)).fetchone())
        return (_captured(row[:-1]), row[-1]) if row else None

    async def close(self) -> None:
        """Finish what was asked and close the file."""
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # It holds mail: for its owner alone, and SQLite gives its other files the same mode.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=5.0, check_same_thread=False)
            try:
                connection.executescript(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self) -> tuple[Captured, ...]:
        query = f"SELECT {_COLUMNS} FROM captured ORDER BY key DESC"  # noqa: S608 - a constant
        return tuple(map(_captured, self._open().execute(query).fetchall()))

    def _find(self, fits: Callable[[Captured], bool], limit: int, before: int) -> Found:
        rows = self._rows()
        fitting = [one for one in rows if fits(one)]
        older = [one for one in fitting if one.key < before]
        newest = rows[0].key if rows else 0
        return Found(tuple(older[:limit]), len(older) > limit, len(fitting), len(rows), newest)

    def _delete(self, keys: tuple[int, ...]) -> int:
        connection = self._open()
        with _transaction(connection):
            count = sum(connection.execute("DELETE FROM captured WHERE key = ?", (key,)).rowcount for key in keys)
        self._changes += bool(count)
        return count

    def _store(self, one: Captured, content: bytes) -> None:
        row = (
            one.id,
            one.time,
            one.upstream,
            one.sender,
            json.dumps(one.recipients),
            one.subject,
            len(content),
            content,
        )
        connection = self._open()
        with _transaction(connection):
            connection.execute(
                "INSERT INTO captured (id, time, upstream, sender, recipients, subject, size, content)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            self._trim(connection)
        self._changes += 1

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Drop the oldest beyond either bound, never the newest."""
        connection.execute(
            "DELETE FROM captured WHERE key IN (SELECT key FROM ("
            " SELECT key, row_number() OVER newest AS place, sum(size) OVER newest AS octets FROM captured"
            " WINDOW newest AS (ORDER BY key DESC)) WHERE place > 1 AND (place > ? OR octets > ?))",
            (self._messages, self._octets),
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # one that is left open would refuse all that comes after it
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _captured(row: tuple[int, str, float, str, str, str, str, int]) -> Captured:
    return Captured(*row[:5], tuple(json.loads(row[5])), *row[6:])
