"""Command lines come out as they were written, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.smtpin.framing import OVERLONG, CommandLines
from mailhaul_relay.smtpin.limits import COMMAND_LINE


def lines_of(chunks: list[bytes]) -> list[bytes]:
    framing, found = CommandLines(), []
    for chunk in chunks:
        framing.feed(chunk)
        while (line := framing.next_line()) is not None:
            found.append(line)
        assert len(framing._data) - framing._at <= COMMAND_LINE
    return found


@given(st.lists(st.sampled_from([b"NOOP", b"\r\n", b"\n", b"\r", b"x" * 700]), max_size=20), st.integers(1, 50))
def test_chunks_do_not_change_the_lines(parts: list[bytes], size: int) -> None:
    octets = b"".join(parts)
    chunks = [octets[at : at + size] for at in range(0, len(octets), size)]
    assert lines_of(chunks) == lines_of([octets])


def test_a_line_at_the_limit_is_given_and_one_more_octet_is_too_long() -> None:
    line = b"x" * (COMMAND_LINE - 2) + b"\r\n"
    assert lines_of([line, b"x" + line, b"NOOP\r\n"]) == [line, OVERLONG, b"NOOP\r\n"]


def test_an_endless_line_is_forgotten_while_it_comes_in() -> None:
    framing = CommandLines()
    for _ in range(1000):
        framing.feed(b"x" * 1000)
        assert framing.next_line() is None
        assert len(framing._data) <= COMMAND_LINE
    framing.feed(b"\r\nNOOP\r\n")
    assert framing.next_line() is OVERLONG
    assert framing.next_line() == b"NOOP\r\n"


def test_what_follows_a_line_can_be_taken_as_it_is() -> None:
    framing = CommandLines()
    framing.feed(b"DATA\r\nSubject: x\r\n")
    assert framing.next_line() == b"DATA\r\n"
    assert framing.rest() == b"Subject: x\r\n"
    assert not framing
