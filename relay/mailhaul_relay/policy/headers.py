"""The header block as fields that keep their bytes.

`admission` parses each message's head once; `rewriting` and `bounces` take it apart again when they must change it.
What is not touched leaves as it came, to the byte. A line that is no header field (RFC 5322 section 2.2), a leading
dot included (no field name is stuffed), is refused rather than guessed at: the next server might guess otherwise.
Obsolete blanks before the colon are understood, so that no name hides behind them. Lines longer than 998 octets
(RFC 5322 section 2.1.1) pass up to `MAX_LINE`, since the large providers take them. Failures: `HeaderError`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailhaul_contract.mailboxes import unfold

MAX_FIELDS = 1000
MAX_LINE = 8192
"""Octets of one line of the head, without CRLF."""

_NAME = re.compile(rb"[!-9;-~]+")
# Possessive: what was taken is never given back, so the time is linear in any input.
# The third group takes all the rest at once where no field begins, so that each match begins where the last one ended.
_FIELDS = re.compile(rb"(([!-,/-9;-~-][!-9;-~]*+)[ \t]*+:[^\r\n\x00]*+\r\n(?:[ \t][^\r\n\x00]*+\r\n)*)|([\x00-\xff]+)")


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


def parse_head(head: bytes) -> tuple[Field, ...]:
    """Parse wire bytes up to and including the empty line (which may be absent). Raises HeaderError."""
    quick = _well_formed(head) if len(head) <= MAX_LINE else None
    if quick is not None:
        return tuple(quick)
    lines = head.split(b"\r\n")
    while lines and not lines[-1]:
        lines.pop()
    return tuple(_fields(lines))


def joined(fields: Iterable[Field]) -> bytes:
    """Give the wire bytes of fields and the empty line that ends a head."""
    return b"".join([*(field.raw for field in fields), b"\r\n"])


def _well_formed(head: bytes) -> list[Field] | None:
    """The fields of a head without fault, in a third of the time; None for any other, whose fault is then named."""
    found = _FIELDS.findall(head)
    if found and found[-1][2] and found.pop()[2] != b"\r\n":
        return None
    return [Field(name.lower(), raw) for raw, name, _ in found] if len(found) <= MAX_FIELDS else None


def _fields(lines: list[bytes]) -> Iterator[Field]:
    name, raw = b"", list[bytes]()
    count = 0
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise HeaderError(f"header line {number} is longer than {MAX_LINE} octets")
        if b"\r" in line or b"\n" in line or b"\x00" in line:
            raise HeaderError(f"header line {number} has a bare CR or LF, or NUL")
        if line[:1] in {b" ", b"\t"} and raw:
            raw.append(line)
            continue
        if raw:
            yield _field(name, raw)
        name, raw = _name(line, number), [line]
        count += 1
        if count > MAX_FIELDS:
            raise HeaderError(f"the message has more than {MAX_FIELDS} header fields")
    if raw:
        yield _field(name, raw)


def _field(name: bytes, lines: list[bytes]) -> Field:
    return Field(name, b"\r\n".join((*lines, b"")))


def _name(line: bytes, number: int) -> bytes:
    name, colon, _ = line.partition(b":")
    name = name.rstrip(b" \t")
    if not colon or line[:1] == b"." or not _NAME.fullmatch(name):
        raise HeaderError(f"header line {number} is not a header field; an empty line must end the header")
    return name.lower()
