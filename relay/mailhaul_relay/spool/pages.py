"""Pages of the history of messages, in a small database of their own beside the queue's: `history.db`.

It is apart so that it never shares a commit, a sync or the page cache with mail that is to be durable. Nothing is
synced: a crash of the process loses nothing that was written, a power cut may lose all of it. One thread does
everything, and the connection is made when it is first needed. `sqlite` joins it to the spool. Failures: SpoolError; a
file that SQLite calls damaged is removed and begun anew, for it is no mail.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mailhaul_relay.spool.failures import from_os, from_sqlite, is_unreadable, lack_of_room
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.telemetry.log import Log

FILE = "history.db"
T = TypeVar("T")

_TABLE = (
    "CREATE TABLE IF NOT EXISTS page (shelf TEXT NOT NULL, number INTEGER NOT NULL, ids TEXT NOT NULL,"
    " octets INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (shelf, number)) STRICT"
)
_SETUP = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=OFF",
    "PRAGMA wal_autocheckpoint=256",
    "PRAGMA journal_size_limit=1048576",
    "PRAGMA cache_size=-256",
    _TABLE,
)
_DROP_OLDEST = (
    "DELETE FROM page WHERE shelf=?1 AND number <= (SELECT max(number) FROM (SELECT number,"
    " sum(octets) OVER (ORDER BY number DESC) AS total FROM page WHERE shelf=?1) WHERE total > ?2)"
)


class HistoryPages:
    """The pages in one directory."""

    def __init__(self, directory: Path, settings: Settings, log: Log) -> None:
        self._path, self._reserve, self._log = directory / FILE, settings.reserve, log
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool-history")

    async def keep(self, shelf: str, number: int, ids: Iterable[str], content: bytes, octets: int) -> None:
        """Keep a page; the oldest of the shelf go beyond so many octets."""
        names = f" {' '.join(ids)} "

        def keep(connection: sqlite3.Connection) -> None:
            # Updates and removals of mail come first where room is short.
            if short := lack_of_room(self._path.parent, self._reserve):
                raise short
            size = len(names) + len(content)
            connection.execute(
                "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?)", (shelf, number, names, size, content)
            )
            connection.execute(_DROP_OLDEST, (shelf, octets))

        await self._run(keep)

    async def about(self, id: str) -> list[bytes]:  # noqa: A002 - the field's own word
        """Give the pages that were kept with this id."""
        query = "SELECT content FROM page WHERE instr(ids, ?)"
        return await self._run(lambda connection: [one for (one,) in connection.execute(query, (f" {id} ",))])

    async def last(self, shelf: str) -> int:
        """Give the number of a shelf's last page, 0 when there is none."""
        query = "SELECT coalesce(max(number), 0) FROM page WHERE shelf=?"
        return await self._run(lambda connection: int(connection.execute(query, (shelf,)).fetchone()[0]))

    async def close(self) -> None:
        """Close the file and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=True)

    async def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._query, query)
        except RuntimeError as error:
            raise SpoolError("the spool is closed") from error

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._asked(query)
        except sqlite3.Error as error:
            raise from_sqlite(error, "keep the history of messages", self._path.parent) from error
        except OSError as error:
            raise from_os(error, "keep the history of messages") from error

    def _asked(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._opened() as connection:
                return query(connection)
        except sqlite3.Error as error:
            self._drop()
            if is_unreadable(error):
                self._remove(str(error))
            raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = self._connection = sqlite3.connect(self._path, check_same_thread=False)
            for statement in _SETUP:
                connection.execute(statement).fetchall()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _remove(self, reason: str) -> None:
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            self._path.with_name(name).unlink(missing_ok=True)
        self._log.event("history-begun-anew", level="warning", reason=reason)
