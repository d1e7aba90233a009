"""What the writer puts into the tables: the columns of a new message, and those that an update changes."""

from typing import NamedTuple


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
