"""What the writer puts into the tables: the columns of a new message, and those that an update changes."""

from typing import NamedTuple

COLUMNS = "id, key, due, mask, accepted, body_size, file, envelope, progress"
"""What a new message has in the table `message`; the others are for its place, and it has none yet."""


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
    """The columns that an update changes; the last three are None for a message without a place. The column of
    `party` is called giver: that is all that an older relay wrote into it.
    """

    id: str
    due: float | None
    mask: int
    progress: str
    awaits: str | None = None
    party: str | None = None
    since: float | None = None
