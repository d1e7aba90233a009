"""JSON log lines: one event a line, on standard error, with one id from accept to the provider's reply.

Everybody writes through `Log.event`; keys that hold addresses are known here, so that redaction cannot be forgotten,
and in every other text whatever looks like one is found: upstreams repeat the recipient in their replies.
Secrets are never given to it, and an object that it does not know is written as its type's name, never as its text.
Lines are ASCII (control characters and everything that a terminal could act on are escaped) and at most 8 KiB long.
A closed or full standard error is not the mail's problem: see `lines`.
"""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import re2

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.compact_json import compact_encoder
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.ports.clock import Clock, wall_clock

ADDRESS_KEYS = frozenset({"sender", "recipient", "recipients", "original", "final", "from", "to"})
"""Fields whose values are addresses or lists of them."""
MAX_LINE = 8192
"""Characters of a line; longer ones are cut field by field and marked `"truncated": true`."""
_LOCAL_PART = re2.compile(r'(?:"[^"]*"|[^\s<>()\[\],;:"]+)@')
_MAX_TEXT = 256
_MAX_ITEMS = 10


def write_line(line: str) -> None:
    """Write one line to standard error, for programs without an event loop; the relay uses `lines.LineWriter`."""
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except OSError:
        pass


class Log:
    """Writes events. `redact` leaves only the domain of each address."""

    def __init__(self, write: Callable[[str], None] = write_line, clock: Clock = wall_clock) -> None:
        self._write = write
        self._clock = clock
        self._second = -1
        self._prefix = ""
        self.redact = False

    def event(self, event: str, /, level: str = "info", **fields: Any) -> None:  # noqa: ANN401 - JSON values
        """Write one event; fields that are None are left out."""
        line: dict[str, Any] = {"time": self._timestamp(), "level": level, "event": event}
        for key, value in fields.items():
            if value is not None:
                line[key] = _without_addresses(key, value) if self.redact else value
        encoded = _encode(line)
        self._write((encoded if len(encoded) < MAX_LINE else _encode(_cut(line))) + "\n")

    def _timestamp(self) -> str:
        """RFC 3339 with milliseconds; the part down to the second is made once a second."""
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second
        return f"{self._prefix}.{int((now - second) * 1000):03d}Z"


def _plain(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """Give what JSON does not know in a form that shows nothing unforeseen."""
    match value:
        case Address() | Reply():
            return str(value)
        case set() | frozenset():
            return sorted(map(str, value))
        case Mapping():
            return dict(value)
        case BaseException():
            return type(value).__name__
        case _:
            return f"<{type(value).__name__}>"


_encode = compact_encoder(_plain)


def _without_addresses(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON values
    if key in ADDRESS_KEYS:
        return _redacted(value)
    match value:
        case str():
            return _LOCAL_PART.sub("***@", value) if "@" in value else value
        case list() | tuple():
            return [_without_addresses(key, one) for one in value]
        case _:
            return value


def _redacted(value: Any) -> Any:  # noqa: ANN401 - an address, or a collection of them
    if isinstance(value, str | Address):
        _, at, domain = str(value).rpartition("@")
        return f"***@{domain}" if at else value
    return [_redacted(one) for one in value]


def _cut(line: dict[str, Any]) -> dict[str, Any]:
    """Give a line that fits: long texts cut, long lists shortened, further fields dropped from the end."""
    short: dict[str, Any] = {"truncated": True}
    size = 64
    for key, value in line.items():
        cut = _cut_value(value)
        size += len(key) + len(_encode(cut)) + 8
        if size > MAX_LINE - 64:
            break
        short[key] = cut
    return short


def _cut_value(value: Any) -> Any:  # noqa: ANN401 - JSON values
    match value:
        case str():
            return value[:_MAX_TEXT]
        case list() | tuple():
            return [_cut_value(one) for one in value[:_MAX_ITEMS]]
        case int() | float() | bool():
            return value
        case _:
            return _encode(value)[:_MAX_TEXT]
