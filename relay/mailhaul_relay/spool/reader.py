"""Reads what is committed, on a connection and a thread of its own, so that no read waits for the writer.

`sqlite` awaits its methods. A failing read is SpoolError and the next one opens a new connection. A record that cannot
be read is left out and told to `set_aside`; reading goes on with the next, also when a page of the database is damaged.
It is due no more in this process, for setting it aside may fail as well.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from mailhaul_relay.model.message import Body, Message
from mailhaul_relay.spool.codec import Unreadable, decode_envelope, decode_progress
from mailhaul_relay.spool.database import FILE, connect_reader
from mailhaul_relay.spool.failures import from_sqlite, is_unreadable
from mailhaul_relay.spool.interface import LastTurns, Narrowed, SpoolError, Stored
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.turns import Turns, places

T = TypeVar("T")

_MESSAGES = (
    "SELECT id, envelope, progress, file, body_size, head, body FROM message LEFT JOIN content USING (key)"
    " WHERE id IN (SELECT value FROM json_each(?))"
)
_DUE = "SELECT json_group_array(id) FROM (SELECT id FROM message WHERE due <= ? ORDER BY due, id LIMIT ?)"


class Reader:
    """The reading side of a spool database. `set_aside(id, reason, with_bytes)` is called on the reader's thread; the
    last is False where the bytes cannot be read.
    """

    def __init__(self, directory: Path, settings: Settings, set_aside: Callable[[str, str, bool], None]) -> None:
        self._path = directory / FILE
        self._bodies = directory / "bodies"
        self._settings = settings
        self._tell = set_aside
        self._damaged: frozenset[str] = frozenset()
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool-reader")

    async def load(self, id: str) -> Message | None:  # noqa: A002 - the field's own word
        """Give one message, None when it is gone or unreadable."""
        return await self._run(self._load, id)

    async def due(self, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        """Give messages that are due, the longest due first."""
        return await self._run(self._due, now, limit, exclude)

    async def places(self) -> list[str]:
        """Tell what messages wait for that have a place."""
        return await self._run(places)

    async def waiting(self, awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]) -> list[Message]:
        """Give messages of a place, their givers and the parties of each in turn."""
        return await self._run(self._waiting, awaits, last, limit, exclude)

    async def next_due(self, exclude: frozenset[str]) -> float | None:
        """Tell when the next message falls due."""
        return await self._run(self._next_due, exclude)

    async def stored(self, mask: int, after: str, limit: int, narrowed: Narrowed) -> list[Stored]:
        """Give messages with a recipient in these states, in order of id."""
        return await self._run(self._list, mask, after, limit, narrowed)

    async def remembered(self) -> dict[str, dict[str, Any]]:
        """Give all that was remembered, but for what is no JSON object."""
        return await self._run(self._remembered)

    async def ready(self) -> None:
        """Open the connection."""
        await self._run(lambda connection: connection.execute("SELECT count FROM pulse").fetchone())

    async def close(self) -> None:
        """Close the connection and end the thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=True)

    async def _run(self, query: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._query, query, *arguments)
        except RuntimeError as error:
            raise SpoolError("the spool is closed") from error

    def _query(self, query: Callable[..., T], *arguments: object) -> T:
        try:
            if self._connection is None:
                self._connection = connect_reader(self._path, self._settings)
            return query(self._connection, *arguments)
        except sqlite3.Error as error:
            self._drop()
            raise from_sqlite(error, "read the spool", self._path.parent) from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _load(self, connection: sqlite3.Connection, id: str) -> Message | None:  # noqa: A002
        return next(iter(self._loaded(connection, [id])), None)

    def _loaded(self, connection: sqlite3.Connection, ids: Sequence[str]) -> list[Message]:
        """Give those that are there and readable, in the order of the ids; by few steps, as in `store`."""
        try:
            rows = connection.execute(_MESSAGES, (json.dumps(ids),)).fetchall()
        except sqlite3.DatabaseError as error:
            if not is_unreadable(error):
                raise
            if len(ids) == 1:
                self._set_aside(ids[0], f"the database is damaged where it lies: {error}", with_bytes=False)
                return []
            # A damaged page is of few messages; the others must not wait for them.
            half = len(ids) // 2
            return self._loaded(connection, ids[:half]) + self._loaded(connection, ids[half:])
        found: dict[str, Message] = {}
        for id, *row in rows:  # noqa: A001
            try:
                found[id] = self._message(id, row)
            except Unreadable as error:
                self._set_aside(id, str(error))
        return [found[one] for one in ids if one in found]

    def _set_aside(self, id: str, reason: str, *, with_bytes: bool = True) -> None:  # noqa: A002
        self._damaged |= {id}
        self._tell(id, reason, with_bytes)

    def _message(self, id: str, row: Sequence[Any]) -> Message:  # noqa: A002
        envelope = decode_envelope(id, row[0])
        progress = decode_progress(row[1], len(envelope.recipients))
        file, size, head, data = row[2:]
        if head is None:
            raise Unreadable("its bytes are missing")
        if file is None:
            if data is None or len(data) != size:
                raise Unreadable("its body is missing or has the wrong length")
            return Message(envelope, head, Body(size=size, data=data), progress)
        return Message(envelope, head, Body(size=size, path=self._body_file(file, size)), progress)

    def _body_file(self, name: str, size: int) -> Path:
        path = self._bodies / name
        try:
            found = path.stat().st_size
        except FileNotFoundError:
            raise Unreadable("its body file is missing") from None
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error
        if found != size:
            raise Unreadable(f"its body file has {found} bytes, expected {size}")
        return path

    def _due(self, connection: sqlite3.Connection, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        exclude |= self._damaged
        (told,) = connection.execute(_DUE, (now, limit + len(exclude))).fetchone()
        return self._loaded(connection, [one for one in json.loads(told) if one not in exclude][:limit])

    def _waiting(
        self, connection: sqlite3.Connection, awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]
    ) -> list[Message]:
        return self._loaded(connection, Turns(connection, awaits, exclude | self._damaged).ids(last, limit))

    def _next_due(self, connection: sqlite3.Connection, exclude: frozenset[str]) -> float | None:
        exclude |= self._damaged
        rows = connection.execute("SELECT id, due FROM message WHERE due IS NOT NULL ORDER BY due, id")
        try:
            return next((float(due) for id, due in rows if id not in exclude), None)  # noqa: A001
        finally:
            rows.close()

    def _list(
        self, connection: sqlite3.Connection, mask: int, after: str, limit: int, narrowed: Narrowed
    ) -> list[Stored]:
        found: list[Stored] = []
        # Addresses stand in the record as JSON in ASCII, so a plain word of theirs stands there as it is.
        words = "".join([" AND instr(lower(envelope), ?)"] * len(narrowed.words))
        rows = connection.execute(
            "SELECT id, envelope, progress FROM message WHERE id > ? AND mask & ? AND accepted BETWEEN ? AND ?"  # noqa: S608 - constants
            f"{words} ORDER BY id",
            (after, mask, narrowed.since, narrowed.until, *narrowed.words),
        )
        for id, envelope_text, progress_text in rows:  # noqa: A001
            if len(found) >= limit:
                break
            try:
                envelope = decode_envelope(id, envelope_text)
                found.append(Stored(envelope, decode_progress(progress_text, len(envelope.recipients))))
            except Unreadable as error:
                self._set_aside(id, str(error))
        rows.close()
        return found

    def _remembered(self, connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
        found = {}
        for key, text in connection.execute("SELECT key, value FROM memory"):
            try:
                value = json.loads(text)
            except ValueError:
                continue
            if isinstance(value, dict):
                found[key] = value
        return found
