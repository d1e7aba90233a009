"""A captured message made readable: chosen headers decoded, the first text part, and the names of the rest.

The bytes are whatever a client sent, so the standard parser runs on a bounded part and none of its exceptions escapes:
what cannot be parsed is shown as it is. `inbox_pages` escapes everything. It may take a while: call it in a thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

MAX_PARSED = 524_288
"""Bytes of a message that are looked at; the raw form has all."""
MAX_TEXT = 262_144
MAX_HEADERS = 200
MAX_PARTS = 100
MAX_NESTING = 20
"""Multiparts and messages within messages; the standard parser's time grows with lines times depth."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What a reader wants to see. `parts` are the content types and names of all parts but the shown one."""

    headers: tuple[tuple[str, str], ...]
    text: str
    parts: tuple[str, ...]
    cut: bool


def readable(content: bytes) -> Readable:
    """Give a message in readable form; it never fails."""
    cut = len(content) > MAX_PARSED
    bounded = content[:MAX_PARSED]
    if _is_labyrinth(bounded):
        return _as_it_is(bounded, cut=cut)
    try:
        return _parsed(bounded, cut=cut)
    except Exception:  # noqa: BLE001 - the standard parser raises many kinds of errors on hostile input
        return _as_it_is(bounded, cut=cut)


def _is_labyrinth(content: bytes) -> bool:
    lower = content.lower()
    return lower.count(b"boundary") + lower.count(b"message/") > MAX_NESTING


def _as_it_is(content: bytes, *, cut: bool) -> Readable:
    return Readable((), content[:MAX_TEXT].decode("utf-8", "replace"), (), cut or len(content) > MAX_TEXT)


def decoded(value: str) -> str:
    """Give a header's value with its encoded words (RFC 2047) decoded; the value itself where that fails."""
    plain = " ".join(value.split())
    try:
        return str(make_header(decode_header(plain)))
    except Exception:  # noqa: BLE001 - unknown charsets, broken base64 and more
        return plain


def _parsed(content: bytes, *, cut: bool) -> Readable:
    message = BytesParser(policy=policy.compat32).parsebytes(content)
    headers = tuple((name, decoded(str(value))) for name, value in message.items()[:MAX_HEADERS])
    text, parts = "", []
    for part in _leaves(message):
        if not text and part.get_content_type() == "text/plain" and not part.get_filename():
            text = _text(part)
        else:
            parts.append(" ".join(filter(None, (part.get_content_type(), decoded(part.get_filename() or "")))))
    if not text and len(parts) == 1:
        text = _text(next(_leaves(message)))
    return Readable(headers, text[:MAX_TEXT], tuple(parts), cut or len(text) > MAX_TEXT)


def _leaves(message: "Message") -> "Iterator[Message]":
    """The parts without parts of their own, in order, from a bounded stack and not by recursion."""
    stack, seen = [message], 0
    while stack and seen < MAX_PARTS:
        part = stack.pop()
        seen += 1
        inner = part.get_payload()
        if isinstance(inner, list):
            stack.extend(one for one in reversed(inner) if isinstance(one, Message))
        else:
            yield part


def _text(part: "Message") -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")
