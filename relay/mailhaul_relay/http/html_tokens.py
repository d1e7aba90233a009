"""HTML as tokens: text, tags with their attributes, nothing else. For `mail_html`, which writes mail anew from them.

A small reading of the standard (https://html.spec.whatwg.org/#tokenization) in linear time: whatever is not closed goes
to the end. It need not see what every browser sees, for what it gives is escaped and written anew, never passed on.
It never fails. The standard library's parser needs minutes for a megabyte of `<!--`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

MAX_ATTRIBUTES = 64
# Single classes of characters: no pattern here can go back.
_SPACE = re.compile(r"[\s/]*")
_NAME = re.compile(r"[^\s/>]*")
_ATTRIBUTE = re.compile(r"[^\s/>=]*")
_BARE = re.compile(r"[^\s>]*")
_BLANK = re.compile(r"\s*")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
RAW = frozenset({"style", "script", "xmp", "iframe", "noembed", "noframes", "textarea", "title"})
"""What these hold is text up to their closing tag, whatever it looks like."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text with its character references resolved."""

    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; its name and its attributes' names are in lower case. `raw` is what a raw element holds."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    is_closing: bool = False
    raw: str = ""


Token = Text | Tag


def tokens(html: str) -> Iterator[Token]:
    """Give the tokens of a document; comments, declarations and instructions are left out."""
    # Raw elements end at their name in any case; only ASCII has cases here, so that places stay the same.
    lower = html.translate(_LOWER)
    at = 0
    while at < len(html):
        opened = html.find("<", at)
        if opened < 0:
            yield Text(unescape(html[at:]))
            return
        if opened > at:
            yield Text(unescape(html[at:opened]))
        following = html[opened + 1 : opened + 2]
        if following.isascii() and following.isalpha():
            tag, at = _tag(html, opened + 1, is_closing=False)
            if tag.name in RAW:
                raw_end = lower.find(f"</{tag.name}", at)
                raw_end = len(html) if raw_end < 0 else raw_end
                tag, at = Tag(tag.name, tag.attributes, raw=html[at:raw_end]), raw_end
            yield tag
        elif following == "/":
            tag, at = _tag(html, opened + 2, is_closing=True)
            yield tag
        elif following in {"!", "?"}:
            at = _after_comment(html, opened)
        else:
            yield Text("<")
            at = opened + 1


def _after_comment(html: str, opened: int) -> int:
    is_comment = html.startswith("<!--", opened)
    # `<!-->` and `<!--->` are whole comments.
    closing, begin = ("-->", opened + 2) if is_comment else (">", opened + 1)
    end = html.find(closing, begin)
    return len(html) if end < 0 else end + len(closing)


def _tag(html: str, at: int, *, is_closing: bool) -> tuple[Tag, int]:
    """Give the tag whose name begins at a place, and the place behind it; an unclosed one goes to the end."""
    end = _end(_NAME, html, at)
    name = html[at:end].lower()
    attributes: dict[str, str] = {}
    while True:
        end = _end(_SPACE, html, end)
        if end >= len(html):
            return Tag(""), end
        if html[end] == ">":
            return Tag(name, tuple(attributes.items()), is_closing), end + 1
        key, value, end = _attribute(html, end)
        if len(attributes) < MAX_ATTRIBUTES:
            attributes.setdefault(key, value)


def _attribute(html: str, at: int) -> tuple[str, str, int]:
    # A name may begin with "=", the one place where that sign is part of it.
    end = _end(_ATTRIBUTE, html, at + 1)
    name = html[at:end].lower()
    after = _end(_BLANK, html, end)
    if html[after : after + 1] != "=":
        return name, "", end
    begin = _end(_BLANK, html, after + 1)
    quote = html[begin : begin + 1]
    if quote in {'"', "'"} and quote:
        closed = html.find(quote, begin + 1)
        closed = len(html) if closed < 0 else closed
        return name, unescape(html[begin + 1 : closed]), closed + 1
    end = _end(_BARE, html, begin)
    return name, unescape(html[begin:end]), end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
