"""The last deliveries of a relay that runs here: which mail went where, by which upstream. The table shows them.

The report counts; single deliveries stand only in the relay's log, whose end is read at each look. Failures: a log or a
line that cannot be read shows nothing; it is never a reason to stop.
"""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEPT: Final = 5
"""How many are shown."""
MOST: Final = 64 * 1024
"""Bytes of log that a look reads at most: under load the newest are enough."""

_MARK: Final = b'"event":"delivered"'


@dataclass(frozen=True, slots=True)
class Delivered:
    """One recipient's delivery. `original` is the address before an alias, "" where no alias led."""

    time: str
    recipient: str
    original: str
    upstream: str


class LastDeliveries:
    """Follows a log from where it ends now."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = _size(log)
        self._last: deque[Delivered] = deque(maxlen=KEPT)

    def look(self) -> tuple[Delivered, ...]:
        """Read what was added and give the last deliveries, the newest last."""
        size = _size(self._log)
        if size < self._read:  # a new file was begun
            self._read = 0
        if size > self._read:
            self._last.extend(_deliveries(self._added(size).split(b"\n")))
        return tuple(self._last)

    def _added(self, size: int) -> bytes:
        """The lines that are complete; the rest is read at the next look."""
        begin = max(self._read, size - MOST)
        try:
            with self._log.open("rb") as file:
                file.seek(begin)
                added = file.read(size - begin)
        except OSError:
            return b""
        complete = added[: added.rfind(b"\n") + 1]
        self._read = begin + len(complete) if complete or begin == self._read else size
        return complete


def _deliveries(lines: Iterable[bytes]) -> Iterable[Delivered]:
    for line in lines:
        if _MARK in line:
            try:
                told = json.loads(line)
                recipient, upstream = str(told["recipient"]), str(told["upstream"])
                yield Delivered(str(told["time"])[11:19], recipient, str(told.get("original", "")), upstream)
            except (ValueError, KeyError, TypeError):
                continue


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0
