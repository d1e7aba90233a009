"""Dates of headers (RFC 5322 section 3.3) from epoch seconds, by arithmetic alone: `policy` may not ask a clock.

Used for Received, Date and reports, always in UTC. Cannot fail.
"""

from functools import lru_cache

_DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = 86_400


def civil_date(days: int) -> tuple[int, int, int]:
    """Give year, month and day of the proleptic Gregorian calendar for days since 1970-01-01.

    Counts from 1 March 0000 in eras of 400 years (146 097 days), where leap days fall at the end of a year.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def header_date(now: float) -> str:
    """Format a time as `Sat, 21 Nov 2026 11:09:21 +0000`."""
    return _formatted(int(now))


@lru_cache(maxsize=16)
def _formatted(seconds: int) -> str:
    days, rest = divmod(seconds, DAY)
    year, month, day = civil_date(days)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{_DAYS[days % 7]}, {day:02} {_MONTHS[month - 1]} {year:04} {clock} +0000"
