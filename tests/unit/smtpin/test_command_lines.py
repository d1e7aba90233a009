"""Only CRLF ends a command line (RFC 5321 section 2.3.8), wherever it is cut, and every such line is told of once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.smtpin.framing import CommandLines, malformed
from mailhaul_relay.smtpin.limits import COMMAND_LINE

LONG = b"x" * (COMMAND_LINE + 1)


def told(chunks: list[bytes]) -> list[str]:
    """Feed chunks; of each line `ok` or the enhanced code of what is wrong with it."""
    lines, said = CommandLines(), []
    for chunk in chunks:
        lines.feed(chunk)
        while (line := lines.next_line()) is not None:
            reply = malformed(line)
            said.append("ok" if reply is None else reply.text[:7])
    return said


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"NOOP\r\nNOOP\r\n", ["ok", "ok"]),
        (b"NOOP\nNOOP\r\nNOOP\r\n", ["Bare CR", "ok"]),
        (b"a\n\n\r\r\n\nb\r\nNOOP\r\n", ["Bare CR", "Bare CR", "ok"]),
        (b"NOOP\n\r\nNOOP\r\n", ["Bare CR", "ok"]),
        (b"NOOP\rNOOP\r\nNOOP\r\n", ["Bare CR", "ok"]),
        (LONG + b"\r\nNOOP\r\n", ["Command", "ok"]),
        (LONG + b"\r" + LONG + b"\nMAIL\r\nNOOP\r\n", ["Command", "ok"]),
        (LONG * 3 + b"\nNOOP\n\r\nNOOP\r\n", ["Command", "ok"]),
    ],
)
def test_each_crlf_ends_one_line_and_it_is_told_of_once(octets: bytes, expected: list[str]) -> None:
    assert told([octets]) == expected
    assert told([octets[at : at + 1] for at in range(len(octets))]) == expected

    @given(st.lists(st.integers(0, len(octets)), max_size=6).map(sorted))
    def cut(cuts: list[int]) -> None:
        assert told([octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]) == expected

    cut()


def test_a_line_that_was_told_of_is_not_kept() -> None:
    lines = CommandLines()
    lines.feed(b"NOOP\n")
    assert lines.next_line() == b"NOOP\n"
    for _ in range(100):
        lines.feed(b"x" * 1000)
        assert lines.next_line() is None
        assert not lines
