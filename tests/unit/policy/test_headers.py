"""The header block keeps its bytes, and what is no header field is refused by line."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.policy.headers import MAX_FIELDS, MAX_LINE, HeaderError, joined, parse_head


def test_fields_keep_their_bytes_with_continuation_lines() -> None:
    wire = b"From: a@b\r\nSubject:  two\r\n\tlines \r\nX-Odd : blank before the colon\r\nEmpty:\r\n\r\n"
    head = parse_head(wire)
    assert [field.name for field in head] == [b"from", b"subject", b"x-odd", b"empty"]
    assert head[1].raw == b"Subject:  two\r\n\tlines \r\n"
    assert head[1].value == "two\tlines"
    assert joined(head) == wire


@pytest.mark.parametrize(
    ("wire", "line"),
    [
        (b"From: a@b\r\nno colon here\r\n\r\n", 2),
        (b"From a@b Sat Nov 21\r\nFrom: a@b\r\n\r\n", 1),
        (b" continuation of nothing\r\n\r\n", 1),
        (b"From: a@b\r\n..Dot: stuffed\r\n\r\n", 2),
        (b"From: a@b\r\nTwo Words: x\r\n\r\n", 2),
        (b"From: a@b\r\n: no name\r\n\r\n", 2),
        (b"From: a@b\r\nJ\xfcrgen: x\r\n\r\n", 2),
        (b"From: a@b\r\nSubject: bare\rcr\r\n\r\n", 2),
        (b"From: a@b\r\nSubject: bare\nBcc: x\r\n\r\n", 2),
        (b"From: a@b\r\nSubject: nul\x00\r\n\r\n", 2),
        (b"From: a@b\r\n\r\nBody: x\r\n\r\n", 2),
        (b"Subject: " + b"x" * MAX_LINE + b"\r\n\r\n", 1),
    ],
)
def test_malformed_line_is_named(wire: bytes, line: int) -> None:
    with pytest.raises(HeaderError, match=f"header line {line} "):
        parse_head(wire)


def test_number_of_fields_is_bounded() -> None:
    parse_head(b"X: y\r\n" * MAX_FIELDS + b"\r\n")
    with pytest.raises(HeaderError, match="more than 1000"):
        parse_head(b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n")


def test_a_head_without_any_colon_takes_linear_time() -> None:
    began = time.process_time()
    for _ in range(100):
        with pytest.raises(HeaderError):
            parse_head(b"a" * (MAX_LINE - 4) + b"\r\n\r\n")
    assert time.process_time() - began < 1.0


def test_a_message_may_have_no_header() -> None:
    assert parse_head(b"\r\n") == ()
    assert joined(parse_head(b"")) == b"\r\n"


@given(st.binary(max_size=200) | st.text(alphabet="aB: \t\r\n.\x00", max_size=80).map(str.encode))
def test_any_bytes_are_fields_that_give_the_same_bytes_or_an_error(wire: bytes) -> None:
    try:
        head = parse_head(wire)
    except HeaderError:
        return
    assert joined(head).rstrip(b"\r\n") == wire.rstrip(b"\r\n")


@given(st.text(alphabet="ab:. \t\r\n\x00", max_size=30).map(str.encode))
def test_the_quick_way_and_the_one_that_names_the_fault_agree(wire: bytes) -> None:
    long = b"X: " + b"y" * 200 + b"\r\n"
    padding = long * (MAX_LINE // len(long) + 1)
    wire = b"Z: z\r\n" + wire
    assert _names(padding + wire) == _names(wire)


def _names(wire: bytes) -> list[bytes] | None:
    try:
        return [field.name for field in parse_head(wire) if field.name != b"x"]
    except HeaderError:
        return None
