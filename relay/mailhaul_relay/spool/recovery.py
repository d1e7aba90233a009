"""What is done with a spool directory at start: damaged records set aside, a damaged database moved aside, orphans
removed, and what is there counted. No body is read.

`sqlite` calls it before anything else runs. Nothing is ever deleted but body files that no record names. Raises
SpoolError when the disk fails; damage is not a failure.
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from mailhaul_relay.spool.bodies import sync_directory
from mailhaul_relay.spool.census import Census
from mailhaul_relay.spool.codec import VERSION
from mailhaul_relay.spool.database import FILE
from mailhaul_relay.spool.store import Store
from mailhaul_relay.telemetry.log import Log

_DAMAGED = f"""
SELECT id, CASE
  WHEN NOT json_valid(envelope) THEN 'the envelope is not JSON'
  WHEN NOT json_valid(progress) THEN 'the progress is not JSON'
  WHEN json_extract(envelope, '$[0]') IS NOT {VERSION} THEN 'the envelope has an unknown version'
  WHEN json_extract(progress, '$[0]') IS NOT {VERSION} THEN 'the progress has an unknown version'
END AS reason FROM message WHERE reason IS NOT NULL
"""  # noqa: S608 - a constant
_FILES = "SELECT id, file, body_size FROM message WHERE file IS NOT NULL"
_KNOWN_FILES = (
    "SELECT file FROM message WHERE file IS NOT NULL UNION SELECT file FROM quarantine WHERE file IS NOT NULL"
)
_GROUPS = "SELECT mask, min(accepted), count(*) FROM message GROUP BY mask, CAST(accepted AS INTEGER)"


def recover(store: Store, directory: Path, log: Log, now: float) -> Census:
    """Set aside what cannot be read, remove orphans, and count. Raises sqlite3.Error and OSError."""
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(directory / "bodies")}
    _set_aside(store, [*_damaged(store), *_damaged_files(store, sizes)], log, now)
    known = {name for (name,) in store.execute(_KNOWN_FILES)}
    orphans = [name for name in sizes if name not in known]
    for name in orphans:
        with contextlib.suppress(FileNotFoundError):
            (directory / "bodies" / name).unlink()
    ((records,),) = store.execute("SELECT count(*) FROM quarantine")
    databases = sum(1 for _ in os.scandir(directory / "quarantine"))
    census = Census()
    census.begin(store.execute(_GROUPS), records + databases)
    log.event("spool-opened", quarantined=records + databases, orphans=len(orphans) or None)
    return census


def _damaged(store: Store) -> list[tuple[str, str]]:
    return store.execute(_DAMAGED)


def _damaged_files(store: Store, sizes: dict[str, int]) -> list[tuple[str, str]]:
    damaged = []
    for id, name, size in store.execute(_FILES):  # noqa: A001 - the column's own word
        found = sizes.get(name)
        if found is None:
            damaged.append((id, "its body file is missing"))
        elif found != size:
            damaged.append((id, f"its body file has {found} bytes, expected {size}"))
    return damaged


def _set_aside(store: Store, damaged: list[tuple[str, str]], log: Log, now: float) -> None:
    if not damaged:
        return
    store.execute("BEGIN IMMEDIATE")
    for id, reason in damaged:  # noqa: A001 - the column's own word
        store.set_aside(id, reason, now)
    store.execute("COMMIT")
    for id, reason in damaged:  # noqa: A001
        log.event("spool-record-quarantined", level="error", id=id, reason=reason)


def is_beheaded(directory: Path) -> bool:
    """Whether there are body files or a log but no database: somebody removed it, and they are all that is left of
    mail. SQLite would delete the log of a database that is empty.
    """
    database, left = directory / FILE, directory / f"{FILE}-wal"
    if database.exists() and database.stat().st_size:
        return False
    return any((directory / "bodies").iterdir()) or (left.exists() and left.stat().st_size > 0)


def move_aside(directory: Path, log: Log, now: float, reason: str) -> Path:
    """Move a database that cannot be read (or is missing), with all body files, into the quarantine. Raises OSError."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = _new_directory(directory / "quarantine", f"database-{stamp}")
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm", "bodies"):
        with contextlib.suppress(FileNotFoundError):
            (directory / name).rename(target / name)
    (directory / "bodies").mkdir(mode=0o700)
    for changed in (target, directory / "quarantine", directory):
        sync_directory(changed)
    log.event("spool-database-quarantined", level="error", moved_to=str(target), reason=reason)
    return target


def _new_directory(parent: Path, name: str) -> Path:
    number = 0
    while True:
        path = parent / (f"{name}-{number}" if number else name)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
            continue
        return path
