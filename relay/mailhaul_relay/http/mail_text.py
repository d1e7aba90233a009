"""A captured message made readable: headers, text, HTML that asks nobody for anything, links, and attachments.

`mime_parts` takes it apart, `mail_html` writes its HTML anew, `inbox_pages` shows it. The bytes are whatever a client
sent: all is bounded and nothing escapes; what cannot be taken apart is shown as it is. It may take a second: call it
in a thread.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from mailhaul_relay.http.mail_html import MAX_HTML, image_type, safe_html
from mailhaul_relay.http.mail_words import decoded, text_of
from mailhaul_relay.http.mime_parts import MAX_PARSED, Part, bytes_of, headers_of, parts_of

MAX_TEXT = 524_288
"""Characters of text that are shown."""
MAX_IMAGES = 12 * 1024 * 1024
"""Characters of a message's own images, in base64, that are shown inside its HTML, all together."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the text itself. `size` is in bytes without the transfer encoding; `is_shown` is true for an
    image that the HTML shows.
    """

    number: int
    content_type: str
    name: str
    size: int
    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class Readable:
    """What a reader wants to see. `html` is "" when there is none; `cut` tells that something was left out."""

    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    html: str = ""
    links: tuple[str, ...] = ()
    remote: int = 0
    attachments: tuple[Attachment, ...] = ()
    cut: bool = False

    @property
    def views(self) -> tuple[str, ...]:
        """The ways to look at it, the best first."""
        shown = {"html": self.html, "text": self.text, "headers": True, "links": self.links, "source": True}
        return tuple(name for name, there in shown.items() if there)


def readable(content: bytes) -> Readable:
    """Give a message in readable form; it never fails."""
    try:
        return _read(content)
    except Exception:  # noqa: BLE001 - the standard library's parts of it raise many kinds of errors on hostile input
        return Readable(text=source_of(content), cut=True)


def source_of(content: bytes) -> str:
    """Give the beginning of a message as it stands, to be looked at."""
    return text_of(content[:MAX_TEXT], "utf-8")


def attachment_of(content: bytes, number: int) -> tuple[Part, bytes] | None:
    """Give a part with its bytes, None when there is no such part; it never fails."""
    try:
        part = next((one for one in parts_of(content) if one.number == number), None)
        return (part, bytes_of(content, part)) if part else None
    except Exception:  # noqa: BLE001 - as above
        return None


def _read(content: bytes) -> Readable:
    headers = tuple((name, decoded(value)) for name, value in headers_of(content))
    parts = parts_of(content)
    text, html = _shown(parts, "text/plain"), _shown(parts, "text/html")
    words, images = _words(content, text), _Images(content, parts)
    safe = safe_html(_words(content, html), images)
    return Readable(
        headers=headers,
        text=words[:MAX_TEXT],
        html=safe.html,
        links=safe.links,
        remote=safe.remote,
        attachments=tuple(_attachment(content, one, images) for one in parts if one not in (text, html)),
        cut=_is_cut(content, words) or safe.cut,
    )


def _is_cut(content: bytes, words: str) -> bool:
    return len(content) > MAX_PARSED or len(words) > MAX_TEXT


def _shown(parts: Iterable[Part], content_type: str) -> Part | None:
    """The first part of a type that is meant to be read; other programs show the same one."""
    return next((one for one in parts if one.content_type == content_type and not one.is_attachment), None)


def _words(content: bytes, part: Part | None) -> str:
    # No charset has more than four bytes for a character of importance here, and no text view needs more.
    return text_of(bytes_of(content, part)[: 4 * MAX_HTML], part.charset) if part else ""


def _attachment(content: bytes, part: Part, images: "_Images") -> Attachment:
    size = len(bytes_of(content, part))
    return Attachment(part.number, part.content_type, part.name, size, is_shown=part.content_id in images.shown)


class _Images:
    """`data:` addresses of a message's own images by content id, made when the HTML asks for them, within a bound."""

    def __init__(self, content: bytes, parts: Iterable[Part]) -> None:
        self._content = content
        self._parts = {one.content_id: one for one in parts if one.content_id and image_type(one.content_type)}
        self._made: dict[str, str] = {}
        self._left = MAX_IMAGES
        self.shown: set[str] = set()

    def __call__(self, content_id: str) -> str:
        """Give the address, "" for an image that is not there or beyond the bound; each time it is shown counts."""
        part = self._parts.get(content_id)
        if part is None:
            return ""
        if content_id not in self._made:
            image = base64.b64encode(bytes_of(self._content, part)).decode()
            self._made[content_id] = f"data:{image_type(part.content_type)};base64,{image}"
        address = self._made[content_id]
        if len(address) > self._left:
            return ""
        self._left -= len(address)
        self.shown.add(content_id)
        return address
