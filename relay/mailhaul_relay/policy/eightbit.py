"""A message with 8-bit bytes made 7-bit, for an upstream that does not offer 8BITMIME (RFC 6152 section 3).

`smtpout` asks for it just before sending. Only leaf parts that hold 8-bit bytes change (quoted-printable for text,
base64 for all else) and the Content-Transfer-Encoding of what contains them; every other byte of the structure stays.
None when it cannot be done without harm: 8-bit header fields, signed parts, or a structure that is malformed or deep.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from typing import NamedTuple

from mailhaul_relay.policy.headers import Field, HeaderError, joined, parse_head

MAX_DEPTH = 20
MAX_PARTS = 2000

# The quoted form excludes the quote, the plain one all specials: no backtracking.
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"\\]{1,70})"|([^\s;"()<>@,:\\/\[\]?=]{1,70}))', re.IGNORECASE)
_OPAQUE = frozenset({"multipart/signed", "multipart/encrypted"})
_UNENCODED = frozenset({"", "7bit", "8bit", "binary"})


class _CannotConvertError(Exception):
    """Left inside this module."""


class _Part(NamedTuple):
    head: bytes
    body: bytes


def to_seven_bit(head: bytes, body: bytes) -> tuple[bytes, bytes] | None:
    """Give head and body (wire form, dots stuffed) with no byte above 127; None when that cannot be."""
    if head.isascii() and body.isascii():
        return head, body
    try:
        part = _converted(_Part(head, _unstuffed(body)), 0)
    except _CannotConvertError:
        return None
    return part.head, _stuffed(part.body)


def _converted(part: _Part, depth: int) -> _Part:
    if not part.head.isascii() or depth > MAX_DEPTH:
        raise _CannotConvertError
    if part.body.isascii():
        return part
    try:
        fields = parse_head(part.head)
    except HeaderError:
        raise _CannotConvertError from None
    kind = _value(fields, b"content-type")
    media = kind.partition(";")[0].strip().lower() or "text/plain"
    if media in _OPAQUE or _value(fields, b"content-transfer-encoding").strip().lower() not in _UNENCODED:
        raise _CannotConvertError
    if media.startswith("multipart/"):
        return _Part(_labelled(fields, b"7bit"), _multipart(part.body, kind, depth))
    if media in {"message/rfc822", "message/global"}:
        inner = _converted(_split(part.body), depth + 1)
        return _Part(_labelled(fields, b"7bit"), inner.head + inner.body)
    return _leaf(fields, part.body, media, depth)


def _leaf(fields: tuple[Field, ...], body: bytes, media: str, depth: int) -> _Part:
    if not any(field.name == b"content-type" for field in fields):
        # Undeclared 8-bit text: say so, rather than guess a charset (RFC 1428).
        fields = (*fields, Field(b"content-type", b"Content-Type: text/plain; charset=unknown-8bit\r\n"))
    if depth == 0 and not any(field.name == b"mime-version" for field in fields):
        fields = (*fields, Field(b"mime-version", b"MIME-Version: 1.0\r\n"))
    if media.startswith("text/"):
        return _Part(_labelled(fields, b"quoted-printable"), _quoted_printable(body))
    return _Part(_labelled(fields, b"base64"), encodebytes(body).replace(b"\n", b"\r\n"))


def _quoted_printable(body: bytes) -> bytes:
    """Line ends of text stay line ends, and the last line has one only when it had one (RFC 2045 section 6.7)."""
    if b"\r\n" not in body:
        return b2a_qp(body).replace(b"=\n", b"=\r\n")
    return b2a_qp(body)


def _multipart(body: bytes, kind: str, depth: int) -> bytes:
    """Convert the parts between the boundary lines (RFC 2046 section 5.1.1); preamble and epilogue must be ASCII."""
    found = _BOUNDARY.search(kind)
    if not found:
        raise _CannotConvertError
    delimiter = b"--" + (found[1] or found[2]).rstrip(" ").encode("ascii", "replace")
    out: list[bytes] = []
    part: list[bytes] = []
    inside = closed = False
    for line in body.split(b"\r\n"):
        bare = line.rstrip(b" \t")
        if closed or bare not in {delimiter, delimiter + b"--"}:
            part.append(line)
            continue
        out += [*_section(part, inside, depth), line]
        inside, closed, part = True, bare != delimiter, []
        if len(out) > 2 * MAX_PARTS:
            raise _CannotConvertError
    return b"\r\n".join([*out, *_section(part, inside and not closed, depth)])


def _section(lines: list[bytes], inside: bool, depth: int) -> list[bytes]:
    """The lines between two boundary lines, which may be none, converted when they are a part."""
    if not lines:
        return []
    text = b"\r\n".join(lines)
    if inside:
        converted = _converted(_split(text), depth + 1)
        return [converted.head + converted.body]
    if not text.isascii():
        raise _CannotConvertError
    return [text]


def _split(text: bytes) -> _Part:
    """Part head and body at the first empty line; a part may have no header at all."""
    if text.startswith(b"\r\n"):
        return _Part(b"\r\n", text[2:])
    head, empty, body = text.partition(b"\r\n\r\n")
    return _Part(head + empty, body)


def _labelled(fields: tuple[Field, ...], encoding: bytes) -> bytes:
    kept = [field for field in fields if field.name != b"content-transfer-encoding"]
    return joined((*kept, Field(b"content-transfer-encoding", b"Content-Transfer-Encoding: " + encoding + b"\r\n")))


def _value(fields: tuple[Field, ...], name: bytes) -> str:
    return next((field.value for field in fields if field.name == name), "")


def _unstuffed(body: bytes) -> bytes:
    body = body.replace(b"\r\n.", b"\r\n")
    return body[1:] if body.startswith(b".") else body


def _stuffed(body: bytes) -> bytes:
    body = body.replace(b"\r\n.", b"\r\n..")
    return b"." + body if body.startswith(b".") else body
