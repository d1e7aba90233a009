"""The parts of a message (RFC 2045 to 2049, 2183, 2231), found without a copy and without recursion.

`mail_text` chooses what is shown of them. The bytes are whatever a client sent, so there are bounds on what is looked
at, and it never fails: a part that cannot be taken apart is a part as a whole. The standard parser goes through a
message line by line in Python, which would hold the relay's other work up for seconds with large mail; here each
boundary is found by one search. A message inside a message is an attachment, as mail programs show it.
"""

import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value

from mailhaul_relay.http.mail_words import base64_of, decoded, writable

MAX_PARSED = 32 * 1024 * 1024
"""Bytes of a message that are looked at; the raw form has all."""
MAX_HEAD = 131_072
MAX_HEADERS = 500
MAX_PARTS = 200
MAX_DEPTH = 10
"""Multiparts within multiparts; a search goes once over the message for each."""
_MAX_BOUNDARY = 200
_MAX_PARAMETERS = 2048
_MAX_NAME = 150


@dataclass(frozen=True, slots=True)
class Part:
    """A part without parts of its own. `number` counts from 0; its encoded bytes are `content[start:end]`."""

    number: int
    content_type: str
    charset: str
    name: str
    is_attachment: bool
    content_id: str
    encoding: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Head:
    fields: tuple[tuple[str, str], ...]
    end: int

    def get(self, name: str) -> str:
        return next((value for field, value in self.fields if field.lower() == name), "")


@dataclass(frozen=True, slots=True)
class _Region:
    start: int
    end: int
    depth: int
    usual: str = "text/plain"


def headers_of(content: bytes) -> tuple[tuple[str, str], ...]:
    """Give the message's header fields as they stand, unfolded, at most 500."""
    return _head(content, 0, len(content)).fields


def parts_of(content: bytes) -> tuple[Part, ...]:
    """Give the parts in order, at most 200."""
    found: list[Part] = []
    stack, seen = [_Region(0, min(len(content), MAX_PARSED), 0)], 0
    while stack and seen < MAX_PARTS:
        region = stack.pop()
        seen += 1
        head = _head(content, region.start, region.end)
        described = _described(head, region.usual)
        kind = described.get_content_type()
        boundary = _parameter(described, "boundary")
        if kind.startswith("multipart/") and 0 < len(boundary) <= _MAX_BOUNDARY and region.depth < MAX_DEPTH:
            usual = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            inner = list(_split(content, _Region(head.end, region.end, region.depth + 1, usual), boundary))
            stack += reversed(inner)
        else:
            inner = []
        if not inner:
            found.append(_part(len(found), head, described, region.end))
    return tuple(found)


def bytes_of(content: bytes, part: Part) -> bytes:
    """Give a part's bytes without their transfer encoding; as they stand where that is broken or unknown."""
    encoded = content[part.start : part.end]
    match part.encoding:
        case "base64":
            return base64_of(encoded) or encoded
        case "quoted-printable":
            return binascii.a2b_qp(encoded)
        case _:
            return encoded


def _split(content: bytes, region: _Region, boundary: str) -> Iterator[_Region]:
    """Give what stands between the lines of a boundary; a last one without its closing line counts."""
    line = b"\n--" + boundary.encode("utf-8", "replace")
    begins = 0
    # The line end before the first boundary is the one that ended the head.
    at = content.find(line, max(region.start - 1, 0), region.end)
    for _ in range(MAX_PARTS):
        if at < 0:
            break
        rest = at + len(line)
        stop = content.find(b"\n", rest, region.end)
        stop = region.end if stop < 0 else stop
        tail = content[rest : min(stop, rest + 80)].strip()
        if tail not in {b"", b"--"}:
            at = content.find(line, rest, region.end)
            continue
        if begins:
            end = at - 1 if content[at - 1 : at] == b"\r" else at
            yield _Region(begins, max(begins, end), region.depth, region.usual)
        begins = min(stop + 1, region.end)
        if tail == b"--":
            return
        at = content.find(line, max(stop, rest), region.end)
    if begins and begins < region.end:
        yield _Region(begins, region.end, region.depth, region.usual)


def _head(content: bytes, start: int, end: int) -> _Head:
    """Give the fields and where the body begins. A part may have no fields at all, only the empty line."""
    fields: list[tuple[bytes, list[bytes]]] = []
    at = start
    for line in content[start : min(end, start + MAX_HEAD)].splitlines(keepends=True):
        name, colon, value = line.partition(b":")
        if not line.strip(b"\r\n"):
            at += len(line)
            break
        if line[:1] in {b" ", b"\t"} and fields:
            fields[-1][1].append(line.rstrip(b"\r\n"))
        elif not colon or not name.strip() or len(fields) == MAX_HEADERS:
            break
        else:
            fields.append((name, [value.rstrip(b"\r\n")]))
        at += len(line)
    return _Head(tuple((_text(name), _text(b"".join(lines))) for name, lines in fields), at)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()


def _described(head: _Head, usual: str) -> Message:
    """The standard library's view of two bounded fields: it knows parameters and their continuations (RFC 2231)."""
    message = Message()
    message.set_default_type(usual)
    for name in ("content-type", "content-disposition"):
        if value := head.get(name):
            message[name] = " ".join(value[:_MAX_PARAMETERS].split())
    return message


def _parameter(described: Message, name: str, header: str = "content-type") -> str:
    try:
        value = described.get_param(name, "", header)
        return writable(collapse_rfc2231_value(value)).strip()
    except Exception:  # noqa: BLE001 - the standard library raises many kinds of errors on hostile parameters
        return ""


def _part(number: int, head: _Head, described: Message, end: int) -> Part:
    name = _parameter(described, "filename", "content-disposition") or _parameter(described, "name")
    disposition = head.get("content-disposition").partition(";")[0].strip().lower()
    return Part(
        number=number,
        content_type=_safe_type(described.get_content_type()),
        charset=_parameter(described, "charset")[:40],
        name=decoded(name)[:_MAX_NAME],
        is_attachment=disposition == "attachment",
        content_id=head.get("content-id").strip("<> \t")[:_MAX_NAME],
        encoding=head.get("content-transfer-encoding").lower(),
        start=head.end,
        end=max(head.end, end),
    )


def _safe_type(kind: str) -> str:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+/"
    return kind if len(kind) <= 100 and not kind.strip(allowed) and set(kind) <= set(allowed) else "text/plain"
