"""Command lines out of chunks, in bounded memory (RFC 5321 section 4.5.3.1.4).

`conversation` feeds it what the transport reads and takes lines one by one; when a message or TLS begins it takes the
rest. It never fails: a line over the limit is dropped while it comes in and told as an empty value.

Only CRLF ends a line (section 2.3.8). A bare LF is told at once, so that a client that knows nothing else hears why;
what follows it up to CRLF belongs to the same line and is dropped: a recipient with a LF in it becomes no two commands.
"""

from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin.limits import COMMAND_LINE
from mailhaul_relay.smtpin.replies import BARE_LINE_END, CONTROL_CHARACTERS, LINE_TOO_LONG, NOT_UTF8

OVERLONG = b""
"""Stands for a line over the limit; a real line has at least its LF."""


class CommandLines:
    """Input that was read and not yet used. It holds at most what one `feed` gave and one line more."""

    __slots__ = ("_at", "_data", "_skipping", "_told")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._skipping = False
        self._told = False
        """Whether the line under way was told of already, for its bare LF."""

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next_line(self) -> bytes | None:
        """Give the next line with its LF, `OVERLONG`, or None when none is complete."""
        if self._told and not self._end_told_line():
            return None
        end = self._data.find(b"\n", self._at)
        if end < 0:
            if self._skipping or len(self._data) - self._at > COMMAND_LINE:
                self._skipping = True
                self._drop()
            return None
        line = self._data[self._at : end + 1]
        self._at = end + 1
        self._told = not line.endswith(b"\r\n")
        if self._skipping or len(line) > COMMAND_LINE:
            self._skipping = False
            return OVERLONG
        return line

    def _end_told_line(self) -> bool:
        """Drop the rest of a line up to its CRLF; tells whether that has come."""
        end = self._data.find(b"\r\n", self._at)
        if end < 0:
            self._drop()
            return False
        self._told = False
        self._at = end + 2
        return True

    def _drop(self) -> None:
        """Forget what came of a line, but for a CR whose LF may come next."""
        if self.rest().endswith(b"\r"):
            self._data = b"\r"

    def rest(self) -> bytes:
        """Take everything that was not used."""
        data = self._data[self._at :]
        self._data, self._at = b"", 0
        return data

    def __bool__(self) -> bool:
        return self._at < len(self._data)


def malformed(line: bytes) -> Reply | None:
    """Judge a line as such, before its words: its length, its end, its characters. None when it is well-formed."""
    if line is OVERLONG:
        return LINE_TOO_LONG
    octets = line[:-2]
    if not line.endswith(b"\r\n") or b"\r" in octets:
        return BARE_LINE_END
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return CONTROL_CHARACTERS if not text.isprintable() and _has_controls(text) else None


def _has_controls(text: str) -> bool:
    """Tell of C0 or C1 control characters or DEL, which no command may have (RFC 5321 section 4.1.2, RFC 6531)."""
    return any(character < " " or "\x7f" <= character < "\xa0" for character in text)
