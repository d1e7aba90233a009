"""How the SQLite spool is set up: sizes chosen by measurement (docs/design/0003-spool.md), and the syncs themselves.

`app` takes the defaults. Tests use smaller sizes, and take single syncs out to see that the durability tests notice.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Syncs:
    """Every sync that a 250 rests on. Only a test may turn one off."""

    database: bool = True
    """`PRAGMA synchronous=FULL`: the log is synced at every commit."""
    body: bool = True
    """A body file's bytes are synced before its message is committed."""
    directory: bool = True
    """The directory entries of body files and of the database are synced."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes in bytes unless said otherwise.

    `body_in_file`: a body larger than this goes to a file. `body_memory`: what all bodies that come in, or wait for
    their commit, may hold in memory; beyond it they go to files early. `reserve`: free space of the disk below which
    nothing is accepted, so that updates and removals still find room. `log_pages`: pages in the write-ahead log that
    start a checkpoint.
    `slack_pages`: free pages that the database keeps for reuse; more are given back to the disk.
    `busy`: seconds to wait for a stranger's lock on the database.
    """

    body_in_file: int = 128 * 1024
    body_memory: int = 16 * 1024 * 1024
    reserve: int = 32 * 1024 * 1024
    log_pages: int = 2000
    slack_pages: int = 8192
    busy: float = 2.0
    syncs: Syncs = field(default_factory=Syncs)
