"""Captured mail made readable: whatever the bytes are, something is shown and nothing escapes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.http.mail_text import MAX_HEADERS, MAX_PARSED, MAX_PARTS, MAX_TEXT, decoded, readable


def test_headers_are_decoded_and_text_is_shown() -> None:
    mail = readable(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX: a\r\n b\r\n\r\nHello\r\n")
    assert mail.headers == (("Subject", "Grüße"), ("X", "a b"))
    assert mail.text == "Hello\r\n"
    assert not mail.cut


def test_the_text_part_of_several_is_shown_and_the_others_are_named() -> None:
    mail = readable(
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>no</b>\r\n'
        b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nR3L832U=\r\n"
        b'--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
        b"\r\nx\r\n--b--\r\n"
    )
    assert mail.text == "Grüße"
    assert mail.parts == ("text/html", "application/pdf a.pdf")


def test_html_alone_is_shown_as_its_source() -> None:
    assert readable(b"Content-Type: text/html\r\n\r\n<b>hi</b>\r\n").text == "<b>hi</b>\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\x00\xff\xfe",
        b"no colon at all",
        b"Subject: =?x-unknown?b?AAAA?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=x-unknown\r\n\r\n\xff",
        b"Content-Type: text/plain; charset*=%%%\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n',
        b"Content-Type: message/rfc822\r\n\r\n" * 300,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)),
        b"A: b\r\n" * 5000 + b"\r\n",
    ],
)
def test_broken_mail_is_shown_all_the_same(content: bytes) -> None:
    mail = readable(content)
    assert len(mail.headers) <= MAX_HEADERS
    assert len(mail.parts) <= MAX_PARTS


def test_only_a_bounded_part_of_large_mail_is_looked_at() -> None:
    mail = readable(b"Subject: x\r\n\r\n" + b"a" * (2 * MAX_PARSED))
    assert mail.cut
    assert len(mail.text) <= MAX_TEXT


@given(st.binary(max_size=300) | st.text(alphabet='=?utf-8bqQB AZaz09_\r\n:;"boundary/', max_size=300).map(str.encode))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    readable(content)
    readable(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + content)


@given(st.text(max_size=200))
def test_no_header_makes_it_fail(value: str) -> None:
    assert "\n" not in decoded(value) or "=?" in value


def test_the_deepest_mail_that_is_parsed_takes_no_long_time() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(9))
    started = time.process_time()
    readable(nested + b"-\r\n" * (MAX_PARSED // 3))
    assert time.process_time() - started < 5.0
