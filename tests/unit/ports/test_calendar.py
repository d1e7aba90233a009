"""The periods of quotas in the zones of the world: daylight saving, month ends, offsets that are no whole hours."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest

from mailhaul_contract.quotas import Quota
from mailhaul_relay.ports.calendar import trial_end, window
from mailhaul_relay.ports.replica import ordinal

CASES = tomllib.loads(Path(__file__).with_name("calendar.toml").read_text(encoding="utf-8"))["period"]


def _quota(**fields: Any) -> Quota:  # noqa: ANN401 - fields of Quota
    return Quota.from_json({"limit": 100, **fields})


@pytest.mark.parametrize("case", CASES, ids=[one["name"] for one in CASES])
def test_the_period_that_runs(case: dict[str, Any]) -> None:
    at, start, end = (datetime.fromisoformat(case[one]) for one in ("at", "start", "end"))
    found = window(_quota(**case["quota"]), at.timestamp())
    assert [datetime.fromtimestamp(one, UTC) for one in found] == [start, end]


@pytest.mark.parametrize("zone", sorted(available_timezones())[::30])
@pytest.mark.parametrize("period", ["Hour", "Day", "Month"])
def test_periods_follow_one_another_without_gap_or_overlap(zone: str, period: str) -> None:
    quota, step = _quota(period=period, timeZone=zone, startDay=31), {"Hour": 1800, "Day": 40_000, "Month": 10**6}
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    found = window(quota, now)
    for _ in range(60):
        now += step[period]
        following = window(quota, now)
        assert following.start <= now < following.end
        assert following in (found, window(quota, found.end))
        assert window(quota, following.start) == window(quota, following.end - 1) == following
        found = following


def test_a_trial_ends_with_its_last_day_in_the_provider_s_zone() -> None:
    quota = _quota(period="Month", validUntil="2027-01-31", timeZone="America/Los_Angeles")
    assert trial_end(quota) == datetime(2027, 2, 1, 8, tzinfo=UTC).timestamp()
    assert trial_end(_quota(period="Month")) == 0


def test_a_zone_that_this_image_lacks_counts_as_utc() -> None:
    unknown = _quota(period="Day").model_copy(update={"time_zone": "Mars/Olympus_Mons"})
    found = window(unknown, datetime(2026, 11, 21, 5, tzinfo=UTC).timestamp())
    assert datetime.fromtimestamp(found.start, UTC) == datetime(2026, 11, 21, tzinfo=UTC)
    assert found.end - found.start == timedelta(days=1).total_seconds()


@pytest.mark.parametrize(
    ("hostname", "number"),
    [
        ("smtp-relay-0", 0),
        ("smtp-relay-12", 12),
        ("smtp-relay-2.smtp-relay.smtp.svc", 2),
        ("smtp-relay-7d9f8b6c5-24567", 0),
        ("laptop", 0),
        ("", 0),
        ("relay-²", 0),
    ],
)
def test_the_number_of_a_replica_is_that_of_its_pod(hostname: str, number: int) -> None:
    assert ordinal(hostname) == number
