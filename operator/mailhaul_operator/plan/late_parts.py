"""What replicas that came later may use of a quota's running period: what those that were there leave of it.

Used by `quotas`. After a growth the old replicas keep to their smaller part, or to what they have used already; once
all of them report so, the rest is divided among the new ones, and the assembled Secret keeps what each got, so that it
is given once. Only calendar periods end together, so of a rolling one nothing is given. Pure.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mailhaul_contract.quotas import Quota, QuotaPeriod, QuotaWindow

MOST_DIGITS: Final = 12
"""Of a number that was kept."""


class Late(NamedTuple):
    """What each new replica may use, in the period that ends at a time (epoch seconds)."""

    units: int
    until: int


def divided(
    quotas: tuple[Quota, ...], settled: Mapping[str, tuple[float, int]], newcomers: int
) -> dict[QuotaPeriod, Late]:
    """Divide what is left; `settled` are, by period, its end and what the old replicas have used or may use."""
    found = {}
    for quota in quotas:
        until, taken = settled.get(quota.period.value, (0.0, 0))
        if quota.window is QuotaWindow.CALENDAR and until and newcomers > 0:
            found[quota.period] = Late(max(0, quota.limit - taken) // newcomers, int(until))
    return found


def read(text: bytes | None, changed: int) -> dict[QuotaPeriod, Late] | None:
    """Read what was given after the growth at a time; None when nothing was, or it cannot be read."""
    first, *words = (text or b"").decode("ascii", "replace").split() or [""]
    if first != str(changed):
        return None
    found = {}
    for word in words:
        period, *numbers = word.split(":")
        if period not in set(QuotaPeriod) or len(numbers) != 2 or not all(map(_is_number, numbers)):
            return None
        found[QuotaPeriod(period)] = Late(*map(int, numbers))
    return found


def written(changed: int, late: Mapping[QuotaPeriod, Late]) -> bytes:
    """Write what was given after the growth at a time."""
    words = (f"{period.value}:{one.units}:{one.until}" for period, one in sorted(late.items()))
    return " ".join((str(changed), *words)).encode("ascii")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
