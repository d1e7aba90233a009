"""Line ends within a message: refused or mended when they are not CRLF, never passed on (SMTP smuggling).

`receiver` gives it pieces that never end in CR, so that every CR and LF in a piece can be judged by itself. A message
with a fault is read to its end and refused; `fault` has the words.
"""

from typing import Protocol

from mailhaul_contract.config import LineEndings

_HINT = "send CRLF line ends, see docs/smtp.md"


class LineEnds(Protocol):
    """Judges a message piece by piece."""

    fault: str
    """Why the message must be refused; "" while it need not be."""

    def check(self, piece: bytes) -> bytes:
        """Give the piece as it may be kept. The result is meaningless once there is a fault."""
        ...


class StrictLineEnds:
    """Every CR is followed by LF, every LF follows a CR (RFC 5321 section 2.3.8), and there is no NUL."""

    __slots__ = ("_lines", "fault")

    def __init__(self) -> None:
        self.fault = ""
        self._lines = 1

    def check(self, piece: bytes) -> bytes:
        """Give the piece as it is."""
        pairs = piece.count(b"\r\n")
        if piece.count(b"\n") != pairs or piece.count(b"\r") != pairs:
            self._tell_bare(piece)
        elif b"\0" in piece:
            self.fault = _nul_at(self._lines, piece)
        self._lines += pairs
        return piece

    def _tell_bare(self, piece: bytes) -> None:
        for line, text in enumerate(piece.split(b"\r\n"), self._lines):
            if b"\n" in text or b"\r" in text:
                which = "LF" if b"\n" in text else "CR"
                self.fault = f"Message has a bare {which} (line {line}): {_HINT}"
                return


class NormalisedLineEnds:
    """A bare CR or LF becomes CRLF. A dot that comes to stand at the start of a line by that is content: it is
    stuffed (RFC 5321 section 4.5.2), so it can end no message further on. NUL is refused here too.
    """

    __slots__ = ("_after_bare_end", "_lines", "fault")

    def __init__(self) -> None:
        self.fault = ""
        self._lines = 1
        self._after_bare_end = False

    def check(self, piece: bytes) -> bytes:
        """Give the piece with CRLF for every line end."""
        if not piece:
            return piece
        if b"\0" in piece:
            self.fault = _nul_at(self._lines, piece)
            return piece
        dot = b"." if self._after_bare_end and piece.startswith(b".") else b""
        pairs = piece.count(b"\r\n")
        self._lines += pairs
        self._after_bare_end = piece.endswith(b"\n") and not piece.endswith(b"\r\n")
        if piece.count(b"\n") != pairs or piece.count(b"\r") != pairs:
            # There is no NUL in the piece, so NUL can stand for the CRLFs that were right.
            bare = piece.replace(b"\r\n", b"\0").replace(b"\r", b"\n").replace(b"\n.", b"\n..")
            piece = bare.replace(b"\n", b"\r\n").replace(b"\0", b"\r\n")
        return dot + piece if dot else piece


def _nul_at(line: int, piece: bytes) -> str:
    line += piece.count(b"\n", 0, piece.find(b"\0"))
    return f"Message has a NUL octet (line {line}): encode binary content, see docs/smtp.md"


def line_ends(mode: LineEndings) -> LineEnds:
    """Give the judge for one message."""
    return StrictLineEnds() if mode is LineEndings.STRICT else NormalisedLineEnds()
