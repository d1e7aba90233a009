"""`quotas` of an UpstreamProvider: how much the account may send in an hour, a day or a month, and what is used of it.

`plan.quotas` makes the contract's form of it; the relays count. Failures: see `part`.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from mailhaul_contract.quotas import (
    UTC_ZONE,
    ZONE_PATTERN,
    QuotaCounts,
    QuotaPeriod,
    QuotaWindow,
    known_date,
    known_zone,
)
from mailhaul_operator.api.part import Observed, Part
from mailhaul_operator.api.rules import Rule, accepted_by
from mailhaul_operator.api.text import matches

ZONE_RULE = Rule("not a time zone; write it like Europe/Berlin or UTC", matches(ZONE_PATTERN), accepted_by(known_zone))
"""Which zones there are is known to the operator alone."""
DATE_RULE = Rule(
    "not a date; write it like 2027-01-31",
    matches(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
    accepted_by(known_date),
)


class ProviderQuota(Part):
    """One limit of the account. A quota acts only when it is written here: what a profile knows of free accounts is for
    people to read.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "a rolling quota has no zone; remove timeZone, or set window to Calendar",
            "self.window != 'Rolling' || self.timeZone == 'UTC'",
            lambda quota: quota.window is not QuotaWindow.ROLLING or quota.time_zone == UTC_ZONE,
            field="timeZone",
        ),
        Rule(
            "only a calendar month begins on a day; remove startDay, or set period to Month and window to Calendar",
            "self.startDay == 1 || (self.period == 'Month' && self.window == 'Calendar')",
            lambda quota: (
                quota.start_day == 1 or (quota.period is QuotaPeriod.MONTH and quota.window is QuotaWindow.CALENDAR)
            ),
            field="startDay",
        ),
    )

    period: QuotaPeriod
    """Hour, Day or Month."""
    limit: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """The most of one period, for all relays and their replicas together."""
    counts: QuotaCounts = QuotaCounts.MESSAGES
    """What the provider counts: Messages, or Recipients (a message to three counts three)."""
    window: QuotaWindow = QuotaWindow.CALENDAR
    """Calendar begins anew with each hour, day or month; Rolling always looks back an hour, 24 hours or 30 days."""
    time_zone: Annotated[str, Field(min_length=1, max_length=96), ZONE_RULE] = UTC_ZONE
    """The zone in which the provider's periods begin."""
    start_day: Annotated[int, Field(ge=1, le=31)] = 1
    """The day on which the account's month begins; in a shorter month its last."""
    reserve_percent: Annotated[int, Field(ge=0, le=90)] = 0
    """The part that is kept for mail of important routes."""
    valid_until: Annotated[str, Field(max_length=10), DATE_RULE.or_empty()] = ""
    """The last day of a trial, which status and metrics then announce."""


class QuotaStatus(Observed):
    """What is used of one quota, summed over all relays and replicas."""

    period: QuotaPeriod
    """Hour, Day or Month."""
    used: Annotated[int, Field(ge=0)] = 0
    """Messages or recipients of the period that runs; the limit when the provider says that it is used up."""
    limit: Annotated[int, Field(ge=0)] = 0
    """The limit of the spec."""
    counts: QuotaCounts = QuotaCounts.MESSAGES
    """What it counts."""
    reset_time: datetime | None = None
    """When it begins anew, or a rolling one gives something back."""
    full_time: datetime | None = None
    """When it is used up at the rate of late; absent when that is not before the reset."""
    valid_until: datetime | None = None
    """When the trial ends."""
