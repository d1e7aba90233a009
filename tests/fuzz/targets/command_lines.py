"""Command lines out of chunks: the cut does not matter, and every line taken for a command stood between two CRLFs."""

from tests.fuzz.pieces import cuts

from mailhaul_relay.smtpin.framing import CommandLines, malformed
from mailhaul_relay.smtpin.limits import COMMAND_LINE

LONGEST = 4500
WORDS = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"RCPT TO:<a@b>\r\n", b"x" * 2046 + b"\r\n", b"y" * 2047, b"\0")


def check(data: bytes) -> None:
    """Frame the same octets cut in three ways."""
    _, content, ways = cuts(data)
    whole, *others = [_framed(way) for way in ways]
    assert all(other == whole for other in others), "other lines by another cut"
    between = iter(content.split(b"\r\n")[:-1])
    for line in whole:
        if malformed(line) is None:
            assert len(line) <= COMMAND_LINE
            assert line[:-2] in between, "a command that did not stand between two CRLFs"


def _framed(way: list[bytes]) -> list[bytes]:
    lines, found = CommandLines(), []
    for piece in way:
        lines.feed(piece)
        while (line := lines.next_line()) is not None:
            assert line.count(b"\n") <= 1
            found.append(line)
        kept = len(lines._data) - lines._at
        assert kept <= COMMAND_LINE + len(piece), "more is kept than one piece and one line"
    return found
