"""What two programs said to each other, line by line, for a person to read: bounded, and never a credential.

`smtpin.send_test` and `smtpout.recording` write one each; whoever writes a line has taken credentials and content out
of it. Nothing here fails: what is too much is left out, and said to be.
"""

from dataclasses import dataclass
from enum import StrEnum

from mailhaul_relay.ports.clock import Clock

MAX_LINES = 300
MAX_TEXT = 512


class Side(StrEnum):
    """Who said it."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `time` is in seconds since the epoch; what was done and not said is in parentheses."""

    time: float
    side: Side
    text: str


class Transcript:
    """The lines of one or several conversations about one message."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: list[Line] = []

    @property
    def lines(self) -> tuple[Line, ...]:
        """Everything that was said, the oldest first."""
        return tuple(self._lines)

    def add(self, side: Side, text: str) -> None:
        """Write a line down; what a terminal would obey is made blank."""
        if len(self._lines) > MAX_LINES:
            return
        if len(self._lines) == MAX_LINES:
            text = "(further lines are left out)"
        shown = "".join(one if one.isprintable() else " " for one in text[:MAX_TEXT])
        self._lines.append(Line(self._clock(), side, shown))
