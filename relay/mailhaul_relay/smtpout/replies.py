"""The parser of SMTP replies (RFC 5321 section 4.2): bytes in whatever pieces, whole answers out.

Fed by `wire`. It never raises: at the first byte that is no reply it stops for good and says why in `broken`. Line
length and number of lines are bounded, so memory is, whatever the other side sends.
"""

from dataclasses import dataclass, field

from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpout.concealment import conceal

MAX_LINE = 4096
"""Octets of one line with its CR; RFC 5321 section 4.5.3.1.5 says 512, real servers say more."""
MAX_LINES = 100
MAX_REPLY = 65_536
"""Octets of all lines of one reply: an upstream may owe a hundred of them at once, on each connection."""
MAX_TEXT = 512
_CODES = {str(code).encode(): code for code in range(200, 600)}
_SEPARATORS = frozenset({b" ", b"-", b""})


@dataclass(slots=True)
class Answer:
    """One reply as it came: its code and the text of each line without the code. `secrets` is what its session logged
    in with, in every form in which the other side might repeat it.
    """

    code: int
    lines: list[bytes] = field(repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)

    def reply(self) -> Reply:
        """The answer as a value to store and to show: joined, printable, bounded, without secrets."""
        return self._value([conceal(one, self.secrets) for one in self.lines] if self.secrets else self.lines)

    def said(self) -> Reply:
        """The same with every word, to tell what it means; never to be kept."""
        return self._value(self.lines)

    def _value(self, lines: list[bytes]) -> Reply:
        enhanced = _enhanced(lines[0])
        if not enhanced:
            return Reply(self.code, "", _printable(b" ".join(lines)))
        text = b" ".join([line.removeprefix(enhanced).removeprefix(b" ") for line in lines])
        return Reply(self.code, enhanced.decode("ascii"), _printable(text))


def _enhanced(line: bytes) -> bytes:
    """The enhanced code (RFC 3463 section 2) where RFC 2034 puts it: at the start of the text; b"" when none is."""
    first = line[:10].partition(b" ")[0]
    parts = first.split(b".")
    well_formed = len(parts) == 3 and parts[0] in {b"2", b"4", b"5"} and len(parts[1]) <= 3 and len(parts[2]) <= 3
    return first if well_formed and parts[1].isdigit() and parts[2].isdigit() else b""


def _printable(text: bytes) -> str:
    decoded = text[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT]
    if decoded.isprintable():
        return decoded.strip()
    return "".join(one if one.isprintable() else " " for one in decoded).strip()


class ReplyParser:
    """Collects lines into answers. `broken` is "" or why the bytes are no SMTP; `secrets` is that of the answers."""

    def __init__(self) -> None:
        self.broken = ""
        self.secrets: tuple[bytes, ...] = ()
        self._rest = b""
        self._code = 0
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def is_between_replies(self) -> bool:
        """Whether nothing of a next reply has come yet."""
        return not self._rest and not self._lines and not self.broken

    def feed(self, data: bytes) -> list[Answer]:
        """Take bytes and give the answers that they complete, in order."""
        answers: list[Answer] = []
        buffer, start = self._rest + data, 0
        while not self.broken:
            end = buffer.find(b"\n", start)
            if end < 0:
                self._rest = buffer[start:]
                if len(self._rest) > MAX_LINE:
                    self._break("a line of the reply is too long")
                break
            if end - start > MAX_LINE:
                self._break("a line of the reply is too long")
            elif self._take(buffer[start:end].removesuffix(b"\r")):
                answers.append(Answer(self._code, self._lines, self.secrets))
                self._code, self._lines, self._size = 0, [], 0
            start = end + 1
        return answers

    def _take(self, line: bytes) -> bool:
        """Take one line; true when it ends a reply."""
        code, separator = _CODES.get(line[:3]), line[3:4]
        if code is None:
            self._break("a line does not begin with a reply code")
        elif separator not in _SEPARATORS:
            self._break("a reply code is not followed by a blank or a hyphen")
        elif self._lines and code != self._code:
            self._break("the lines of one reply have different codes")
        elif len(self._lines) >= MAX_LINES or self._size > MAX_REPLY:
            self._break("a reply has too many lines, or too long ones")
        else:
            self._code = code
            self._lines.append(line[4:])
            self._size += len(line)
            return separator != b"-"
        return False

    def _break(self, reason: str) -> None:
        self.broken = reason
        self._rest, self._lines = b"", []
