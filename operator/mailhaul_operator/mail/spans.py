"""Spans of time as people type them at a prompt, with days: `90s`, `15m`, `2h`, `3d`, `1d12h`. Pure."""

import re

# Bounded repetitions of disjoint classes: these cannot backtrack.
_SPAN = re.compile(r"(?:([0-9]{1,4})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,7})s)?", re.ASCII)
_UNITS = (86_400, 3600, 60, 1)
MOST = 3_650 * 86_400


def seconds(text: str) -> int:
    """Give the seconds of a span; raises ValueError."""
    found = _SPAN.fullmatch(text)
    total = sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True)) if found else 0
    if not 1 <= total <= MOST:
        raise ValueError("takes a span of time from 1s to 3650d, such as 30s, 15m, 2h or 3d")
    return total
