"""8-bit mail made 7-bit: the same content, the same structure, or None."""

import email
from email.message import Message
from email.policy import compat32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.policy.eightbit import to_seven_bit

HEAD = b"From: a@b.example\r\nMIME-Version: 1.0\r\n"


def convert(head: bytes, body: bytes) -> tuple[bytes, Message]:
    converted = to_seven_bit(head + b"\r\n", body)
    assert converted
    wire = converted[0] + converted[1]
    assert wire.isascii()
    assert all(len(line) <= 998 for line in wire.split(b"\r\n"))
    return wire, email.message_from_bytes(wire.replace(b"\r\n.", b"\r\n"), policy=compat32)


def test_seven_bit_mail_keeps_every_byte() -> None:
    assert to_seven_bit(HEAD + b"\r\n", b"..dot\r\nplain\r\n") == (HEAD + b"\r\n", b"..dot\r\nplain\r\n")


@pytest.mark.parametrize("encoding", [b"8bit", b"binary", b""])
def test_text_becomes_quoted_printable(encoding: bytes) -> None:
    head = (
        HEAD
        + b"Content-Type: text/plain; charset=utf-8\r\n"
        + (encoding and b"Content-Transfer-Encoding: " + encoding + b"\r\n")
    )
    body = "Grüße\r\n..dot ü\r\n trailing ü \r\nlong ".encode() + b"\xc3\xbc" * 600 + b"\r\n"
    wire, parsed = convert(head, body)
    assert parsed.get_payload(decode=True) == body.replace(b"\r\n..", b"\r\n.")
    assert parsed["Content-Transfer-Encoding"] == "quoted-printable"
    assert wire.count(b"Content-Transfer-Encoding") == 1


def test_line_that_begins_with_a_dot_after_conversion_is_stuffed() -> None:
    converted = to_seven_bit(HEAD + b"Content-Type: text/plain\r\n\r\n", b"..\xc3\xbc\r\n")
    assert converted
    assert converted[1] == b"..=C3=BC\r\n"


def test_undeclared_text_is_labelled_not_guessed() -> None:
    wire, parsed = convert(b"From: a@b.example\r\n", b"\xfc\r\n")
    assert parsed.get_payload(decode=True) == b"\xfc\r\n"
    assert b"charset=unknown-8bit" in wire
    assert b"MIME-Version: 1.0" in wire


MULTIPART = (
    b"preamble\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>plain</p> \r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\n\r\n\x80\x81\r\n\xff\r\n"
    b"--b\r\n\r\nno header \xc3\xbc\r\n"
    b"--b--\r\nepilogue\r\n"
)


def test_only_leaves_that_need_it_change() -> None:
    wire, parsed = convert(HEAD + b'Content-Type: multipart/mixed; charset=x;\r\n boundary="b"\r\n', MULTIPART)
    payloads = [part.get_payload(decode=True) for part in parsed.walk() if not part.is_multipart()]
    assert payloads == ["Grüße\r\n".encode(), b"<p>plain</p> ", b"\x80\x81\r\n\xff", "no header ü".encode()]
    assert b"--b\r\nContent-Type: text/html\r\n\r\n<p>plain</p> \r\n--b\r\n" in wire
    assert b"\r\n\r\npreamble\r\n--b\r\n" in wire
    assert wire.endswith(b"\r\n--b--\r\nepilogue\r\n")


def test_boundary_lines_without_content_between_keep_their_bytes() -> None:
    body = b"--b\r\n--b\r\n\r\n\xfc\r\n--b--\r\n"
    converted = to_seven_bit(HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", body)
    assert converted
    assert converted[1].startswith(b"--b\r\n--b\r\n")
    assert converted[1].endswith(b"\r\n--b--\r\n")


def test_nested_message_and_multipart_are_followed() -> None:
    inner = b"--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xbc\r\n--i--\r\n"
    body = (
        b"--o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n" + inner + b"\r\n--o--\r\n"
    )
    _, parsed = convert(HEAD + b"Content-Type: multipart/mixed; boundary=o\r\n", body)
    assert [part.get_payload(decode=True) for part in parsed.walk() if part.get_content_type() == "text/plain"] == [
        "ü".encode()
    ]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (HEAD + b"Subject: \xc3\xbc\r\n", b"x\r\n"),
        (HEAD + b"Content-Type: multipart/signed; boundary=b\r\n", b"--b\r\n\r\n\xfc\r\n--b--\r\n"),
        (HEAD + b"Content-Type: multipart/mixed\r\n", b"--b\r\n\r\n\xfc\r\n--b--\r\n"),
        (HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n", b"\xfc preamble\r\n--b\r\n\r\nx\r\n--b--\r\n"),
        (HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\nX: \xfc\r\n\r\nx\r\n--b--\r\n"),
        (HEAD + b"Content-Transfer-Encoding: base64\r\n", b"\xfc\r\n"),
        (b"not a header\r\n", b"\xfc\r\n"),
    ],
)
def test_what_cannot_be_converted_without_harm_is_none(head: bytes, body: bytes) -> None:
    assert to_seven_bit(head + b"\r\n", body) is None


def test_depth_is_bounded() -> None:
    head, body = b"", b"\xfc\r\n"
    for _ in range(30):
        head, body = b"Content-Type: message/rfc822\r\n", head + b"\r\n" + body
    assert to_seven_bit(HEAD + head + b"\r\n", body) is None


@given(
    st.binary(max_size=120),
    st.sampled_from([b"text/plain", b"image/png", b"multipart/mixed; boundary=b", b"message/rfc822"]),
)
def test_any_body_is_converted_to_seven_bit_or_none(body: bytes, kind: bytes) -> None:
    converted = to_seven_bit(HEAD + b"Content-Type: " + kind + b"\r\n\r\n", body + b"\r\n")
    if converted:
        assert (converted[0] + converted[1]).isascii()


@given(st.lists(st.text(max_size=100).map(lambda line: line.replace("\r", "").replace("\n", "")), max_size=10))
def test_text_reads_the_same_afterwards(lines: list[str]) -> None:
    text = "".join(f"{line}\r\n" for line in [*lines, "ü"]).encode("utf-8", "replace")
    stuffed = text.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    converted = to_seven_bit(HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n", stuffed)
    assert converted
    wire = converted[1].replace(b"\r\n.", b"\r\n")
    wire = wire[1:] if wire.startswith(b".") else wire
    assert email.message_from_bytes(converted[0] + wire).get_payload(decode=True) == text
