"""The header block as fields that keep their bytes.

`admission` parses each message's head once; `rewriting` and `bounces` take it apart again when they must change it.
What is not touched leaves as it came, to the byte. A line that is no header field (RFC 5322 section 2.2), a leading
dot included (no field name is stuffed), is refused rather than guessed at: the next server might guess otherwise.
Obsolete blanks before the colon are understood, so that no name hides behind them. Lines longer than 998 octets
(RFC 5322 section 2.1.1) pass up to `MAX_LINE`, since the large providers take them. Failures: `HeaderError`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from mailhaul_contract.mailboxes import unfold

MAX_FIELDS = 1000
MAX_LINE = 8192
"""Octets of one line of the head, without CRLF."""

_NAME = re.compile(rb"[!-9;-~]+")


class HeaderError(ValueError):
    """A line of the head is malformed; the text names the line and may be shown to a client."""


class Field(NamedTuple):
    """One header field: `name` in lower case, `raw` as it came with its continuation lines and last CRLF."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> str:
        """The value on one line, without surrounding blanks."""
        return unfold(self.raw.partition(b":")[2])


class Head(NamedTuple):
    """A parsed header block, without the empty line that ends it."""

    fields: tuple[Field, ...]

    @classmethod
    def parse(cls, head: bytes) -> Self:
        """Parse wire bytes up to and including the empty line (which may be absent). Raises HeaderError."""
        lines = head.split(b"\r\n")
        while lines and not lines[-1]:
            lines.pop()
        return cls(tuple(_fields(lines)))

    def named(self, name: bytes) -> list[Field]:
        """Give the fields of that name (lower case), in order."""
        return [field for field in self.fields if field.name == name]

    def without(self, names: frozenset[bytes]) -> Self:
        """Give the head without fields of these names."""
        return self._replace(fields=tuple(field for field in self.fields if field.name not in names))

    def to_bytes(self) -> bytes:
        """Give the wire bytes with the empty line at the end."""
        return joined(self.fields)


def joined(fields: Iterable[Field]) -> bytes:
    """Give the wire bytes of fields and the empty line that ends a head."""
    return b"".join(field.raw for field in fields) + b"\r\n"


def _fields(lines: list[bytes]) -> Iterator[Field]:
    name, raw = b"", b""
    count = 0
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise HeaderError(f"header line {number} is longer than {MAX_LINE} octets")
        if b"\r" in line or b"\n" in line or b"\x00" in line:
            raise HeaderError(f"header line {number} has a bare CR or LF, or NUL")
        if line[:1] in {b" ", b"\t"} and raw:
            raw += line + b"\r\n"
            continue
        if raw:
            yield Field(name, raw)
        name, raw = _name(line, number), line + b"\r\n"
        count += 1
        if count > MAX_FIELDS:
            raise HeaderError(f"the message has more than {MAX_FIELDS} header fields")
    if raw:
        yield Field(name, raw)


def _name(line: bytes, number: int) -> bytes:
    name, colon, _ = line.partition(b":")
    name = name.rstrip(b" \t")
    if not colon or line[:1] == b"." or not _NAME.fullmatch(name):
        raise HeaderError(f"header line {number} is not a header field; an empty line must end the header")
    return name.lower()
