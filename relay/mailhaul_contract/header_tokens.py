"""The tokens of structured header fields (RFC 5322 section 3.2): atoms, quoted strings, comments, literals, specials.

`mailboxes` builds address lists from them. One pass over text that was unfolded; quoted pairs are resolved, blanks
inside quoted strings and comments become one. Failures: `MailboxError` (a ValueError), which may be shown to a client.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_MAX_DEPTH = 32
"""Comments inside one another."""

# Each class excludes the one that follows it, so a match never backtracks.
_ATOM = re.compile(r'[^\s()<>@,;:\\"\[\]]+')
_BLANK = re.compile(r"[ \t]+")


class MailboxError(ValueError):
    """The text is not a list of mailboxes."""


class Token(NamedTuple):
    """`kind` is the special character itself, or one of atom, quoted, literal, comment."""

    kind: str
    text: str


def tokens(text: str) -> Iterator[Token]:
    """Give the tokens of a text in order; raises MailboxError where there is none."""
    at, end = 0, len(text)
    while at < end:
        character = text[at]
        if character in " \t":
            blank = _BLANK.match(text, at)
            at = blank.end() if blank else at + 1
        elif character in "<>@,;:":
            yield Token(character, character)
            at += 1
        elif character == '"':
            inner, at = _delimited(text, at, '"')
            yield Token("quoted", " ".join(inner.split()))
        elif character == "[":
            inner, at = _delimited(text, at, "]")
            yield Token("literal", f"[{inner.strip()}]")
        elif character == "(":
            inner, at = _comment(text, at)
            yield Token("comment", " ".join(inner.split()))
        else:
            atom = _ATOM.match(text, at)
            if not atom or any(one < " " or one == "\x7f" for one in atom[0]):
                raise MailboxError("the address list has characters that it may not have")
            yield Token("atom", atom[0])
            at = atom.end()


def _delimited(text: str, at: int, close: str) -> tuple[str, int]:
    """Read a quoted string or a literal from its opening character; quoted pairs are resolved."""
    out: list[str] = []
    at += 1
    while at < len(text) and text[at] != close:
        if text[at] == "\\":
            at += 1
        if at >= len(text) or (text[at] < " " and text[at] != "\t") or text[at] == "\x7f":
            raise MailboxError("a quoted string has control characters or is not closed")
        out.append(text[at])
        at += 1
    if at >= len(text):
        raise MailboxError("a quoted string or literal is not closed")
    return "".join(out), at + 1


def _comment(text: str, at: int) -> tuple[str, int]:
    """Read a comment, which may nest (RFC 5322 section 3.2.2); the inner parentheses stay in its text."""
    out: list[str] = []
    depth = 0
    while at < len(text):
        character = text[at]
        depth += (character == "(") - (character == ")")
        at += 1
        if depth == 0:
            return "".join(out)[1:], at
        if depth > _MAX_DEPTH:
            raise MailboxError("comments are nested too deeply")
        if character == "\\":
            character = text[at : at + 1]
            at += 1
        out.append(max(character, " "))
    raise MailboxError("a comment is not closed")
