"""The reply parser takes any bytes in any pieces, gives the same replies, and never raises."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpout.replies import MAX_LINE, MAX_LINES, MAX_REPLY, MAX_TEXT, Answer, ReplyParser

REPLYISH = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"250 ok\r\n", b"250-a\r\n", b"250 b\r\n", b"550-5.1.1 x\n", b"550 5.1.1 y\n", b"\r\n", b"250"]
        ),
    ),
    max_size=12,
).map(b"".join)


def fed(pieces: list[bytes]) -> tuple[list[Answer], str]:
    parser = ReplyParser()
    answers = [answer for piece in pieces for answer in parser.feed(piece)]
    return answers, parser.broken


@given(REPLYISH, st.lists(st.integers(min_value=0, max_value=200), max_size=8))
def test_any_chunking_gives_the_same_replies(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert fed(pieces) == fed([data])


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    answers, _ = fed([data])
    for answer in answers:
        reply = answer.reply()
        assert 200 <= reply.code <= 599
        assert len(reply.text) <= MAX_TEXT
        assert reply.text.isprintable()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello\r\n", "code"),
        (b"25 ok\r\n", "code"),
        (b"150 x\r\n", "code"),
        (b"650 x\r\n", "code"),
        (b"250ok\r\n", "blank or a hyphen"),
        (b"250-a\r\n251 b\r\n", "different codes"),
        (b"\r\n", "code"),
        ("²50 ok\r\n".encode(), "code"),
        (b"250-a\r\n" * (MAX_LINES + 1), "too many lines"),
        ((b"250-" + b"a" * (MAX_LINE - 5) + b"\r\n") * (MAX_REPLY // MAX_LINE + 2), "too long"),
        (b"250 " + b"a" * MAX_LINE + b"\r\n", "too long"),
        (b"2" * (MAX_LINE + 1), "too long"),
    ],
)
def test_what_is_no_reply_is_refused(data: bytes, reason: str) -> None:
    answers, broken = fed([data])
    assert answers == []
    assert reason in broken


def test_nothing_is_read_after_garbage() -> None:
    answers, broken = fed([b"250 ok\r\nnonsense\r\n250 ok\r\n", b"250 ok\r\n"])
    assert len(answers) == 1
    assert broken


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"250 2.1.0 ok\r\n", Reply(250, "2.1.0", "ok")),
        (b"250\r\n", Reply(250)),
        (b"550-5.7.1 one\r\n550 5.7.1 two\r\n", Reply(550, "5.7.1", "one two")),
        (b"550 5.1 short\r\n", Reply(550, "", "5.1 short")),
        (b"550 5.1.1\r\n", Reply(550, "5.1.1", "")),
        (b"421 a\x00b\x1b[2Jc\xff\r\n", Reply(421, "", "a b [2Jc\ufffd")),
        (b"250 bare line feed\n", Reply(250, "", "bare line feed")),
    ],
)
def test_replies_become_values(data: bytes, expected: Reply) -> None:
    (answer,), broken = fed([data])
    assert not broken
    assert answer.reply() == expected


def test_the_rest_of_an_unfinished_line_is_bounded() -> None:
    parser = ReplyParser()
    for _ in range(1000):
        parser.feed(b"250-" + b"x" * 1000)
    assert parser.broken
    assert parser._rest == b""
