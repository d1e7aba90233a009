"""Opens a spool directory: makes it, takes its lock, opens or replaces the database, and has it recovered.

`sqlite` calls it once in a thread at start, and `open_store` again whenever `committer` needs a new connection. Raises
SpoolError; a database that is damaged beyond opening is moved aside, one on a failing disk never is.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from mailhaul_relay.spool.bodies import sync_directory
from mailhaul_relay.spool.census import Census
from mailhaul_relay.spool.database import FILE, connect_writer, restrict
from mailhaul_relay.spool.failures import from_os, from_sqlite, is_unreadable
from mailhaul_relay.spool.ownership import Ownership
from mailhaul_relay.spool.recovery import is_beheaded, move_aside, recover
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.store import Store
from mailhaul_relay.telemetry.log import Log


@dataclass(frozen=True, slots=True)
class Opened:
    """A directory that is ours, with its database ready."""

    ownership: Ownership
    store: Store
    census: Census


def open_directory(directory: Path, settings: Settings, log: Log, now: float) -> Opened:
    """Make a spool directory ours and ready. Raises SpoolError."""
    try:
        _make(directory)
    except OSError as error:
        raise from_os(error, f"make the spool directory {directory}") from error
    ownership = Ownership(directory)
    try:
        store, census = _open(directory, settings, log, now)
    except BaseException:
        ownership.release()
        raise
    return Opened(ownership, store, census)


def open_store(directory: Path, settings: Settings) -> Store:
    """Open a writing connection. Raises sqlite3.Error and SpoolError."""
    connection = connect_writer(directory / FILE, settings)
    try:
        return Store(connection)
    except sqlite3.Error:
        connection.close()
        raise


def _make(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("bodies", "quarantine"):
        (directory / name).mkdir(mode=0o700, exist_ok=True)


def _open(directory: Path, settings: Settings, log: Log, now: float) -> tuple[Store, Census]:
    try:
        try:
            opened = _open_and_recover(directory, settings, log, now)
        except sqlite3.DatabaseError as error:
            if not is_unreadable(error):
                raise
            move_aside(directory, log, now, str(error))
            opened = _open_and_recover(directory, settings, log, now)
        if settings.syncs.directory:
            sync_directory(directory)
            sync_directory(directory.absolute().parent)
    except sqlite3.Error as error:
        raise from_sqlite(error, f"open the spool in {directory}", directory) from error
    except OSError as error:
        raise from_os(error, f"open the spool in {directory}") from error
    return opened


def _open_and_recover(directory: Path, settings: Settings, log: Log, now: float) -> tuple[Store, Census]:
    if is_beheaded(directory):
        move_aside(directory, log, now, "the database is missing, but there are body files or its log")
    restrict(directory / FILE)
    store = open_store(directory, settings)
    try:
        return store, recover(store, directory, log, now)
    except BaseException:
        store.close()
        raise
