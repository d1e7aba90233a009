"""Quotas: how much a provider takes in an hour, a day or a month, and how replicas share it; part of `Upstream`.

Written by the operator's `plan.quotas`, kept by the relay's ledger (`policy.quota`, `queue.ledger`). Times are seconds
since the epoch. A wrong value is refused with its path.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mailhaul_contract.base import Frozen

UTC_ZONE = "UTC"
ZONE_PATTERN = r"[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z][A-Za-z0-9_+-]{0,30}){0,2}"
"""RE2 of the name of a time zone; it can name no file outside of the database of zones."""


class QuotaPeriod(StrEnum):
    """How long a quota counts until it begins anew."""

    HOUR = "Hour"
    DAY = "Day"
    MONTH = "Month"


class QuotaCounts(StrEnum):
    """What a quota counts."""

    MESSAGES = "Messages"
    RECIPIENTS = "Recipients"


class QuotaWindow(StrEnum):
    """Calendar: the hour, day or month of a time zone. Rolling: the last hour, 24 hours or 30 days at any time."""

    CALENDAR = "Calendar"
    ROLLING = "Rolling"


class OnQuota(StrEnum):
    """What happens to mail whose turn it is at a provider that takes no more: the next upstream gets it, or it is held
    until the provider takes mail again. It is never bounced for that.
    """

    FAIL_OVER = "FailOver"
    HOLD = "Hold"


def known_zone(text: str) -> str:
    """Give the name of a time zone back; raises ValueError for one that the zones of this machine do not have."""
    if text != UTC_ZONE:
        # Most relays count in no zone but UTC, and need none of this.
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            raise ValueError("not a time zone; write it like Europe/Berlin or UTC") from None
    return text


def known_date(text: str) -> str:
    """Give a date such as 2027-01-31 back, or "" for none; raises ValueError."""
    try:
        is_date = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        raise ValueError("not a date; write it like 2027-01-31")
    return text


class Quota(Frozen):
    """The most of one period, for all replicas together. `start_day` is the day on which a calendar month begins, in
    shorter months their last. Of the limit `reserve_percent` are kept for mail of important routes. `valid_until` is
    the last day of a trial in the quota's zone, "" when it has no end. `late` is what a replica may use that came while
    the period ran that ends at `late_until`.
    """

    period: QuotaPeriod
    limit: Annotated[int, Field(ge=1, le=1_000_000_000)]
    counts: QuotaCounts = QuotaCounts.MESSAGES
    window: QuotaWindow = QuotaWindow.CALENDAR
    time_zone: Annotated[str, Field(max_length=96, pattern=f"^{ZONE_PATTERN}$"), AfterValidator(known_zone)] = UTC_ZONE
    start_day: Annotated[int, Field(ge=1, le=31)] = 1
    reserve_percent: Annotated[int, Field(ge=0, le=90)] = 0
    valid_until: Annotated[str, Field(max_length=10), AfterValidator(known_date)] = ""
    late: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    late_until: Annotated[int, Field(ge=0)] = 0


Quotas = Annotated[tuple[Quota, ...], Field(max_length=3)]
"""One for each period at most."""


class Share(Frozen):
    """The part of each quota that is one replica's: one of `of` equal parts, in periods that begin at `changed` or
    later. In a period that began earlier there were between `least` and `most` parts, for replicas were added or taken
    away: who was there all the time has one of `most` parts, who came later what the quota's `late` says.
    """

    of: Annotated[int, Field(ge=1, le=100_000)] = 1
    changed: Annotated[float, Field(ge=0)] = 0
    least: Annotated[int, Field(ge=0, le=100_000)] = 0
    most: Annotated[int, Field(ge=0, le=100_000)] = 0

    @model_validator(mode="after")
    def _most_is_known_of_a_change(self) -> "Share":
        if self.changed and self.most < self.of:
            raise ValueError("most is less than of, though the number of parts has changed; it counts the present too")
        return self
