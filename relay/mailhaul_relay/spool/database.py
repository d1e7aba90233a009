"""The database file: its tables, how a connection to it is set up, and its one version number.

`writer` holds the only connection that writes or checkpoints (two of them may damage a database under SQLite before
3.51.3, its "WAL-reset bug"), `reader` one that only reads. Raises sqlite3.Error and SpoolError.
"""

import os
import sqlite3
from pathlib import Path

from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.settings import Settings

FILE = "spool.db"
VERSION = 2
LOG_BYTES = 16 * 1024 * 1024
"""The write-ahead log is cut back to this after it grew beyond it."""

_TABLES = """
CREATE TABLE message (
  id TEXT PRIMARY KEY, key INTEGER NOT NULL, due REAL, mask INTEGER NOT NULL, accepted REAL NOT NULL,
  body_size INTEGER NOT NULL, file TEXT, envelope TEXT NOT NULL, progress TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX message_due ON message (due) WHERE due IS NOT NULL;
CREATE TABLE content (key INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB) STRICT;
CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pulse (only INTEGER PRIMARY KEY CHECK (only = 1), count INTEGER NOT NULL) STRICT;
INSERT INTO pulse VALUES (1, 0);
CREATE TABLE quarantine (
  number INTEGER PRIMARY KEY, id TEXT, at REAL, reason TEXT, envelope TEXT, progress TEXT, body_size INTEGER,
  file TEXT, head BLOB, body BLOB
) STRICT;
"""
_PLACES = """
ALTER TABLE message ADD COLUMN awaits TEXT;
ALTER TABLE message ADD COLUMN giver TEXT;
ALTER TABLE message ADD COLUMN since REAL;
CREATE INDEX message_place ON message (awaits, giver, since) WHERE awaits IS NOT NULL;
"""
_STEPS = (_TABLES, _PLACES)
"""What leads from each version to the next; all mail stays."""


def connect_writer(path: Path, settings: Settings) -> sqlite3.Connection:
    """Open the database to write, made when it is not there. Raises sqlite3.Error, SpoolError for a newer version."""
    connection = sqlite3.connect(path, timeout=settings.busy, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, settings)
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, settings: Settings) -> sqlite3.Connection:
    """Open the database to read only. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=settings.busy, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA cache_size=-1024")
    return connection


def _prepare(connection: sqlite3.Connection, settings: Settings) -> None:
    statements = (
        "PRAGMA page_size=4096",
        "PRAGMA auto_vacuum=INCREMENTAL",
        "PRAGMA journal_mode=WAL",
        f"PRAGMA synchronous={'FULL' if settings.syncs.database else 'OFF'}",
        "PRAGMA wal_autocheckpoint=0",
        f"PRAGMA journal_size_limit={LOG_BYTES}",
        "PRAGMA cache_size=-4096",
        "PRAGMA secure_delete=OFF",
        "PRAGMA mmap_size=0",
    )
    for statement in statements:
        connection.execute(statement).fetchall()


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version not in range(VERSION):
        raise SpoolError(
            f"the spool database has version {version}, this relay reads {VERSION}: "
            "run the relay version that wrote it, or a later one"
        )
    steps = "".join(_STEPS[version:])
    connection.executescript(f"BEGIN IMMEDIATE;{steps}PRAGMA user_version={VERSION};COMMIT;")


def restrict(path: Path) -> None:
    """Make the database file before SQLite does, readable by its owner only; SQLite gives its other files that mode.

    Only while nothing of this process has the database open: closing any descriptor of a file gives up all of the
    process's POSIX locks on it, SQLite's too (sqlite.org/howtocorrupt.html, section 2.2).
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
