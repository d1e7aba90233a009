"""What the disk says, as `SpoolError`: the one place where OSError and sqlite3.Error get their meaning.

`writer`, `reader`, `bodies` and `opening` call it. "Full" (452) is said only when space, quota or file numbers have run
out; everything else is a local error (451). Texts are for the log; clients never see them.
"""

import errno
import os
import sqlite3
from pathlib import Path

from mailhaul_relay.spool.interface import SpoolError

_EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNREADABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NEARLY_NOTHING = 64 * 1024


def from_os(error: OSError, doing: str) -> SpoolError:
    """Give the failure of a file operation; `doing` completes "cannot ..."."""
    name = errno.errorcode.get(error.errno or 0, "error")
    return SpoolError(f"cannot {doing}: {error.strerror or error} ({name})", full=error.errno in _EXHAUSTED)


def from_sqlite(error: Exception, doing: str, directory: Path) -> SpoolError:
    """Give the failure of a database operation.

    SQLite names a full disk only at write (SQLITE_FULL), not when its shared memory or a quota runs out, so the disk is
    asked too.
    """
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    full = primary_code(error) == sqlite3.SQLITE_FULL or _has_no_room(error, directory)
    remedy = "; no space is left on the spool's disk: free some, or enlarge the volume" if full else ""
    return SpoolError(f"cannot {doing}: {error} ({name}){remedy}", full=full)


def primary_code(error: Exception) -> int:
    """Give SQLite's primary result code, 0 when the error is not of the database."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_unreadable(error: Exception) -> bool:
    """Whether the database itself is damaged, as opposed to the disk failing just now."""
    return primary_code(error) in _UNREADABLE


def lack_of_room(directory: Path, reserve: int) -> SpoolError | None:
    """Tell when the disk has less free space than the reserve that updates and removals need."""
    try:
        free = _free_bytes(directory)
    except OSError as error:
        return from_os(error, "ask the disk for its free space")
    if free >= reserve:
        return None
    text = f"only {free} bytes are free on the spool's disk, {reserve} are kept for updates"
    return SpoolError(f"{text}: enlarge the volume or let the queue drain", full=True)


def _free_bytes(directory: Path) -> int:
    found = os.statvfs(directory)
    if found.f_files and not found.f_favail:
        return 0
    return found.f_bavail * found.f_frsize


def _has_no_room(error: Exception, directory: Path) -> bool:
    if primary_code(error) not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
        return False
    try:
        return _free_bytes(directory) < _NEARLY_NOTHING
    except OSError:
        return False
