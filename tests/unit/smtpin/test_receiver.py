"""The end of a message is CRLF.CRLF and nothing else; what is kept is the same however the octets were cut."""

from dataclasses import dataclass
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.memory_spool import MemorySpool

from mailhaul_contract.listening import LineEndings
from mailhaul_relay.smtpin.gate import HeadBudget
from mailhaul_relay.smtpin.limits import HEAD, HEAD_FREE
from mailhaul_relay.smtpin.line_ends import line_ends
from mailhaul_relay.smtpin.receiver import Receiver


@dataclass(frozen=True)
class Result:
    """What one message came to: its wire bytes or None when it was refused, and what was left behind its end."""

    kept: bytes | None
    rest: bytes | None


def receive(chunks: list[bytes], mode: LineEndings, limit: int = 10**9) -> Result:
    spool, budget = MemorySpool(), HeadBudget()
    receiver = Receiver(spool.new_body, line_ends(mode), limit, budget)
    rest: bytes | None = None
    for index, chunk in enumerate(chunks):
        rest = receiver.feed(chunk)
        if rest is not None:
            rest += b"".join(chunks[index + 1 :])
            break
    kept = None
    if rest is not None and receiver.refusal is None:
        head, body = receiver.finish()
        assert head.endswith(b"\r\n")
        assert b"\r\n\r\n" not in head[:-2]
        kept = head + (body.data or b"")
        assert receiver.eight_bit == (not kept.isascii())
    receiver.discard()
    assert spool.open_bodies == 0
    assert budget.take(HeadBudget()._left)
    return Result(kept, rest)


def reference(octets: bytes, mode: LineEndings) -> Result:
    """The same, octet by octet and as slow as can be."""
    lines, at = _crlf_lines(octets)
    if at is None:
        return Result(None, None)
    rest = octets[at:]
    text = b"".join(line + b"\r\n" for line in lines)
    if b"\0" in text:
        return Result(None, rest)
    if mode is LineEndings.STRICT:
        bare = any(b"\r" in line or b"\n" in line for line in lines)
        return Result(None if bare else _with_empty_line(text), rest)
    return Result(_with_empty_line(b"".join(_normal(line) for line in lines)), rest)


def _crlf_lines(octets: bytes) -> tuple[list[bytes], int | None]:
    lines: list[bytes] = []
    line, at = b"", 0
    while at < len(octets):
        if octets[at : at + 2] == b"\r\n":
            at += 2
            if line == b".":
                return lines, at
            lines.append(line)
            line = b""
        else:
            line += octets[at : at + 1]
            at += 1
    return lines, None


def _normal(line: bytes) -> bytes:
    """One CRLF line as it is kept: each bare end is one, and dots of what it parts are content."""
    parts = line.replace(b"\r", b"\n").split(b"\n")
    first, others = parts[0], parts[1:]
    if others and first == b".":
        first = b".."
    return b"\r\n".join([first, *(b"." + part if part.startswith(b".") else part for part in others)]) + b"\r\n"


def _with_empty_line(text: bytes) -> bytes:
    has_empty_line = text.startswith(b"\r\n") or b"\r\n\r\n" in text
    return text if has_empty_line else text + b"\r\n"


ALPHABET = st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"x", b"\xff", b": ", b"\n.\n", b"\r.\r"])
OCTETS = st.lists(ALPHABET, max_size=24).map(b"".join)


@pytest.mark.parametrize("mode", LineEndings)
@given(octets=OCTETS, cuts=st.lists(st.integers(0, 40), max_size=8).map(sorted), nul=st.booleans())
def test_it_agrees_with_the_slow_reference_however_it_is_cut(
    mode: LineEndings, octets: bytes, cuts: list[int], *, nul: bool
) -> None:
    octets = octets + (b"\0" if nul else b"") + b"\r\n.\r\nNOOP\r\n"
    chunks = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert receive(chunks, mode) == reference(octets, mode)


@given(octets=OCTETS, cuts=st.lists(st.integers(0, 40), max_size=8).map(sorted), counted=st.integers(0, 12))
def test_line_ends_are_judged_alike_where_lines_are_no_longer_counted(
    octets: bytes, cuts: list[int], counted: int
) -> None:
    octets += b"\r\n.\r\n"
    chunks = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    with patch("mailhaul_relay.smtpin.line_ends.COUNTED", counted):
        assert receive(chunks, LineEndings.STRICT) == reference(octets, LineEndings.STRICT)


@pytest.mark.parametrize("mode", LineEndings)
@given(octets=OCTETS)
def test_octet_by_octet_is_as_good_as_at_once(mode: LineEndings, octets: bytes) -> None:
    octets += b"\r\n.\r\n"
    assert receive([bytes([one]) for one in octets], mode) == receive([octets], mode)


@pytest.mark.parametrize("mode", LineEndings)
@given(octets=OCTETS)
def test_nothing_that_is_kept_can_end_a_message_further_on(mode: LineEndings, octets: bytes) -> None:
    kept = receive([octets + b"\r\n.\r\n"], mode).kept
    if kept is not None:
        assert b"\r\n.\r\n" not in b"\r\n" + kept
        assert kept.count(b"\r\n") == kept.count(b"\n") == kept.count(b"\r")


def test_a_head_over_its_limit_is_refused_and_read_to_the_end() -> None:
    receiver = Receiver(MemorySpool().new_body, line_ends(LineEndings.STRICT), 10**9, HeadBudget())
    line = b"X: " + b"y" * 70 + b"\r\n"
    for _ in range(HEAD // len(line) + 1):
        assert receiver.feed(line) is None
    assert receiver.refusal is not None
    assert str(receiver.refusal) == "552 5.3.4 Message header is larger than 256 KiB"
    assert receiver.feed(b"\r\nbody\r\n.\r\nNOOP\r\n") == b"NOOP\r\n"


def test_an_octet_at_a_time_costs_no_copy_of_the_head_each() -> None:
    """A head of 256 KiB in single octets would be 32 GiB of copying if each made a new one."""
    receiver = Receiver(MemorySpool().new_body, line_ends(LineEndings.STRICT), 10**9, HeadBudget())
    for _ in range(100_000):
        receiver.feed(b"x")
    assert receiver.refusal is None


def test_many_large_heads_share_one_budget() -> None:
    budget = HeadBudget(50_000)
    first, second = (Receiver(MemorySpool().new_body, line_ends(LineEndings.STRICT), 10**9, budget) for _ in range(2))
    first.feed(b"x" * (HEAD_FREE + 40_000))
    second.feed(b"x" * (HEAD_FREE + 40_000))
    assert first.refusal is None
    assert str(second.refusal).startswith("452 4.3.1 ")
    first.discard()
    assert budget.take(50_000)


def test_a_message_over_the_size_is_refused_at_its_end_and_given_back_at_once() -> None:
    spool = MemorySpool()
    receiver = Receiver(spool.new_body, line_ends(LineEndings.STRICT), 1000, HeadBudget())
    receiver.feed(b"A: b\r\n\r\n" + b"x" * 2000)
    assert str(receiver.refusal).startswith("552 5.3.4 ")
    assert spool.open_bodies == 0
    assert receiver.feed(b"\r\n.\r\n") == b""
