"""Captured mail made readable: whatever the bytes are, something is shown, within bounds, and nothing escapes."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.http.mail_text import MAX_IMAGES, MAX_TEXT, attachment_of, readable
from mailhaul_relay.http.mail_words import charset_of, decoded
from mailhaul_relay.http.mime_parts import MAX_DEPTH, MAX_HEADERS, MAX_PARSED, MAX_PARTS

PNG = base64.b64encode(b"\x89PNG not really").decode()
RELATED = (
    b'Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n%s\r\n'
    b"--b\r\nContent-Type: image/%s\r\nContent-ID: <logo@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n"
)


def test_headers_are_decoded_and_text_is_shown() -> None:
    mail = readable(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX: a\r\n b\r\n\r\nHello\r\n")
    assert mail.headers == (("Subject", "Grüße"), ("X", "a b"))
    assert mail.text == "Hello\r\n"
    assert mail.views[0] == "text"
    assert not mail.cut


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?UTF-8?B?R3LDvA?= =?utf-8?q?=C3=9Fe?=", "Grüße"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?iso-8859-1?q?=A4?= =?iso-8859-15?q?=A4?=", "¤€"),
        ("=?utf-8*de?q?x?=", "x"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?x-unknown?q?=E9?=", "é"),
        ("=?us-ascii?q?=C3=BC?=", "ü"),
        ("=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        ("=?utf-8?x?y?=", "=?utf-8?x?y?="),
        ("=?utf-8?q?two=0D=0Alines?=", "two lines"),
        ("=?utf-8?b?!!!?=", ""),
        ("plain   and\tsimple", "plain and simple"),
    ],
)
def test_encoded_words_are_read_as_rfc_2047_has_them(value: str, shown: str) -> None:
    assert decoded(value) == shown


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "unicode_escape", "zlib", "rot13", "undefined", "../os", "a" * 99]
)
def test_a_strangers_charset_picks_no_codec_that_is_none_of_mail(name: str) -> None:
    assert charset_of(name) == ""


def test_the_text_part_is_shown_beside_the_html_and_others_are_attachments() -> None:
    mail = readable(
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>yes</b>\r\n'
        b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nR3L832U=\r\n"
        b"--b\r\nContent-Type: application/pdf; name*=utf-8''Gr%C3%BC.pdf\r\nContent-Disposition: attachment\r\n"
        b"\r\nx\r\n--b--\r\nepilogue"
    )
    assert (mail.text, mail.html) == ("Grüße", "<b>yes</b>")
    assert [(one.number, one.content_type, one.name, one.size) for one in mail.attachments] == [
        (2, "application/pdf", "Grü.pdf", 1)
    ]
    assert mail.views == ("html", "text", "headers", "source")


def test_an_attached_text_is_not_taken_for_the_message() -> None:
    mail = readable(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nno\r\n"
        b"--b\r\n\r\nyes\r\n--b--\r\n"
    )
    assert mail.text == "yes"
    assert mail.attachments[0].name == "a.txt"


def test_a_message_within_a_message_is_an_attachment() -> None:
    mail = readable(
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: inner\r\n\r\n<b>x</b>\r\n--b--\r\n"
    )
    assert [one.content_type for one in mail.attachments] == ["message/rfc822"]


def test_a_boundary_that_begins_as_another_one_does_not_end_it() -> None:
    mail = readable(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
        b"--bb\n\ninner\n--bb--\n--b--\n"
    )
    assert mail.text == "inner"


def test_images_of_the_message_itself_are_shown_in_its_html() -> None:
    mail = readable(RELATED % (b'<img src="cid:logo@x">', b"png", PNG.encode()))
    assert mail.html == f'<img src="data:image/png;base64,{PNG}">'
    assert [one.is_shown for one in mail.attachments] == [True]


def test_an_image_that_the_html_does_not_show_is_an_attachment_to_be_seen() -> None:
    mail = readable(RELATED % (b"<img src='cid:other@x'>", b"png", PNG.encode()))
    assert [one.is_shown for one in mail.attachments] == [False]
    assert mail.remote == 1


@pytest.mark.parametrize("kind", [b"svg+xml", b"x-icon"])
def test_an_image_that_may_be_a_document_is_not_shown_in_the_html(kind: bytes) -> None:
    assert "data:" not in readable(RELATED % (b'<img src="cid:logo@x">', kind, PNG.encode())).html


def test_images_are_shown_within_a_bound_however_often_they_are_named() -> None:
    large = base64.b64encode(b"x" * 1_000_000)
    mail = readable(RELATED % (b'<img src="cid:logo@x">' * 100, b"png", large))
    assert len(large) < len(mail.html) < MAX_IMAGES + 100_000


def test_an_attachments_bytes_are_decoded() -> None:
    content = RELATED % (b"", b"png", PNG.encode())
    found = attachment_of(content, 1)
    assert found is not None
    assert found[1] == b"\x89PNG not really"
    assert attachment_of(content, 2) is None


def _nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))


HOSTILE = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "control characters": b"\x00\xff\xfe",
    "no colon": b"no colon at all",
    "unknown charset of a header": b"Subject: =?x-unknown?b?AAAA?=\r\n\r\nx",
    "unknown charset of a text": b"Content-Type: text/plain; charset=x-unknown\r\n\r\n\xff",
    "escapes that are none": b"Content-Type: text/plain; charset*=%%%\r\n\r\nx",
    "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
    "an empty boundary": b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n',
    "messages within messages": b"Content-Type: message/rfc822\r\n\r\n" * 300,
    "multiparts within multiparts": _nested(2000),
    "many headers": b"A: b\r\n" * 5000 + b"\r\n",
    "many lines of a header": b"A: b\r\n" + b" \r\n" * 2_000_000,
    "many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 500_000,
    "boundaries that are none": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 500_000,
    "many parameters": b"Content-Type: text/html" + b";" * 100_000 + b"\r\n\r\n",
    "many continued parameters": b"Content-Type: a/b; " + b"".join(b"n*%d*=x; " % n for n in range(9000)) + b"\r\n\r\n",
    "comments without end": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 400_000,
    "a tag without end": b"Content-Type: text/html\r\n\r\n<a " + b'b="c" ' * 200_000,
    "angle brackets": b"Content-Type: text/html\r\n\r\n" + b"<" * 300_000,
    "styles within styles": b"Content-Type: text/html\r\n\r\n" + b"<style></style" * 80_000,
    "words within words": (b"A: " + b"=?a?q?" * 700 + b"\r\n") * 30 + b"\r\n",
    "large nonsense in base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"!" * 8_000_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_broken_and_hostile_mail_is_shown_within_bounds_and_soon(content: bytes) -> None:
    started = time.process_time()
    mail = readable(content)
    assert time.process_time() - started < 5.0
    assert len(mail.headers) <= MAX_HEADERS
    assert len(mail.attachments) <= MAX_PARTS
    assert len(mail.text) <= MAX_TEXT


def test_only_a_bounded_part_of_large_mail_is_looked_at() -> None:
    mail = readable(b"Subject: x\r\n\r\n" + b"a" * (MAX_PARSED + 1))
    assert mail.cut
    assert len(mail.text) <= MAX_TEXT


def test_the_deepest_mail_that_is_taken_apart_takes_no_long_time() -> None:
    started = time.process_time()
    readable(_nested(MAX_DEPTH) + b"-\r\n" * (MAX_PARSED // 6))
    assert time.process_time() - started < 5.0


@given(
    st.binary(max_size=300) | st.text(alphabet='=?utf-8bqQB AZaz09_\r\n:;"boundary/<>', max_size=300).map(str.encode)
)
def test_no_bytes_make_it_fail(content: bytes) -> None:
    readable(content)
    readable(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + content)
    readable(b"Content-Type: text/html\r\n\r\n" + content)
    attachment_of(content, 0)


@given(st.text(max_size=200))
def test_a_header_is_always_one_line(value: str) -> None:
    assert "\n" not in decoded(value)
    assert "\n" not in decoded(f"=?utf-8?q?{value}?=")
