"""What a report says, kept to what a status may hold: a relay is ours, yet what comes over HTTP is never trusted.

Used where numbers, times and names of a report go into a status. Pure; nothing fails.
"""

from string import ascii_lowercase, digits
from typing import Final

LATEST: Final = 253_402_300_799.0
"""The last second of the year 9999: no later time can be written."""
MOST: Final = 2**53
"""The largest number that every reader of JSON keeps."""
_LETTERS: Final = frozenset(ascii_lowercase + digits + "-")


def known_time(seconds: float) -> float:
    """Give the time, or 0 for what is none: negative, beyond the year 9999, no number."""
    return seconds if 0 <= seconds <= LATEST else 0.0


def count(number: int) -> int:
    """Give the number within what a status may hold."""
    return min(max(0, number), MOST)


def handle(text: str) -> str:
    """Give the name of an upstream, or "" for what is none (RFC 1123 label)."""
    good = 0 < len(text) <= 63 and set(text) <= _LETTERS and text[0] != "-" and text[-1] != "-"
    return text if good else ""


def code(number: int) -> int:
    """Give the SMTP reply code, or 0 for what is none."""
    return number if 0 <= number <= 599 else 0
