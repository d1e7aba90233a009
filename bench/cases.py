"""What is sent: cases by name, `SIZE:SESSIONS:MODE[:COUNT]`. Pure."""

from dataclasses import dataclass

SIZES = {"4k": 4096, "64k": 65_536, "1m": 1_048_576}
"""Octets of a message, head and body."""
COUNTS = {"4k": 4000, "64k": 1500, "1m": 150}
"""Messages of a run, unless the case says otherwise: a few seconds of work."""
DEFAULT = ("4k:20:conn", "4k:20:reuse", "64k:20:reuse", "1m:20:reuse", "4k:20:rate50")
RATE_SECONDS = 10


class CaseError(ValueError):
    """The text names no case; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load. `mode` is conn, reuse or pipe; `rate` is in messages a second, 0 for a closed loop."""

    name: str
    size: int
    sessions: int
    mode: str
    rate: float
    count: int


def parse_case(text: str) -> Case:
    """Parse `4k:20:reuse`, `1m:20:conn:50` or `4k:20:rate50`. Raises CaseError."""
    size, sessions, mode, count = [*text.split(":"), "", "", ""][:4]
    rate = 0.0
    if mode.startswith("rate") and mode[4:].isdigit():
        mode, rate = "conn", float(mode[4:])
    correct = size in SIZES and sessions.isdigit() and mode in {"conn", "reuse", "pipe"} and text.count(":") <= 3
    if not correct or int(sessions) == 0 or (count and not count.isdigit()) or text.startswith("rate0"):
        raise CaseError(
            f"{text!r} is no case; write SIZE:SESSIONS:MODE[:COUNT], SIZE one of {', '.join(SIZES)}, "
            "MODE one of conn, reuse, pipe, rateN (N messages a second); for example 4k:20:reuse"
        )
    usual = int(rate * RATE_SECONDS) if rate else COUNTS[size]
    return Case(text, SIZES[size], int(sessions), mode, rate, int(count) if count else usual)
