"""JSON log lines: one event a line, on standard error, with one id from accept to the provider's reply.

Everybody writes through `Log.event`; keys that hold addresses are known here, so that redaction cannot be forgotten.
Secrets are never given to it. A closed or full standard error is not the mail's problem: the line is dropped.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mailhaul_relay.ports.clock import Clock, wall_clock

ADDRESS_KEYS = frozenset({"sender", "recipient", "recipients", "original", "from", "to"})
"""Fields whose values are addresses or lists of them."""


def write_line(line: str) -> None:
    """Write one line to standard error."""
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
        self.redact = False

    def event(self, event: str, /, level: str = "info", **fields: Any) -> None:  # noqa: ANN401 - JSON values
        """Write one event; fields that are None are left out."""
        line: dict[str, Any] = {"time": self._timestamp(), "level": level, "event": event}
        for key, value in fields.items():
            if value is not None:
                line[key] = _redacted(value) if self.redact and key in ADDRESS_KEYS else value
        self._write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def _timestamp(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _redacted(value: Any) -> Any:  # noqa: ANN401 - an address, or a list of them
    if isinstance(value, str):
        _, at, domain = value.rpartition("@")
        return f"***@{domain}" if at else value
    return [_redacted(one) for one in value]
