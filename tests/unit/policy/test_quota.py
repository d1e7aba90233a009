"""What is used of a quota: counted in its period, shared by replicas, foretold, remembered."""

from datetime import datetime
from typing import Any

import pytest

from mailhaul_contract.quotas import Quota, QuotaPeriod, Share
from mailhaul_relay.policy.quota import (
    LENGTHS,
    SLOTS,
    Slot,
    Usage,
    Window,
    allotted,
    brought,
    cap,
    counted,
    free_at,
    level,
    named_period,
    used,
)

NOON = datetime.fromisoformat("2026-11-21T12:00:00+00:00").timestamp()
HOUR, DAY = 3600, 86_400
TODAY = Window(NOON - 12 * HOUR, NOON + 12 * HOUR)


def _quota(period: str = "Day", limit: int = 100, **fields: Any) -> Quota:  # noqa: ANN401 - fields of Quota
    return Quota.from_json({"period": period, "limit": limit, **fields})


ROLLING = _quota(window="Rolling")


def _sent(quota: Quota, *at: tuple[float, int]) -> Usage:
    """So many units at these times, each from noon on in seconds."""
    usage = Usage()
    for after, units in at:
        now = NOON + after
        usage = counted(brought(usage, quota, _rolling(quota, now), now), quota, units, now)
    return usage


def _rolling(quota: Quota, now: float) -> Window:
    return Window(now - LENGTHS[quota.period], now) if quota == ROLLING else TODAY


def test_a_calendar_quota_begins_anew_with_its_period() -> None:
    quota = _quota()
    usage = _sent(quota, (0, 60), (60, 40))
    assert used(usage, quota) == 100
    tomorrow = Window(TODAY.end, TODAY.end + DAY)
    assert used(brought(usage, quota, TODAY, TODAY.end - 1), quota) == 100
    assert used(brought(usage, quota, tomorrow, TODAY.end), quota) == 0


def test_a_rolling_quota_gives_back_what_is_as_old_as_its_period_and_never_sooner() -> None:
    usage = _sent(ROLLING, (0, 60), (HOUR, 40))
    for after, left in ((DAY, 100), (DAY + SLOTS[QuotaPeriod.DAY], 40), (DAY + HOUR, 40), (DAY + 2 * HOUR, 0)):
        now = NOON + after
        assert used(brought(usage, ROLLING, _rolling(ROLLING, now), now), ROLLING) == left


def test_a_rolling_quota_is_free_when_enough_of_it_is_given_back() -> None:
    usage = _sent(ROLLING, (0, 60), (HOUR, 40))
    first, second = NOON + DAY + 900, NOON + DAY + HOUR + 900
    assert free_at(usage, ROLLING, _rolling(ROLLING, NOON), 100) == first
    assert free_at(usage, ROLLING, _rolling(ROLLING, NOON), 41) == first
    assert free_at(usage, ROLLING, _rolling(ROLLING, NOON), 40) == second


def test_a_replica_without_a_part_of_a_rolling_quota_looks_again_after_a_period() -> None:
    assert free_at(Usage(), ROLLING, _rolling(ROLLING, NOON), 0) == NOON + DAY


def test_a_calendar_quota_is_free_when_its_period_ends() -> None:
    assert free_at(_sent(_quota(), (0, 100)), _quota(), TODAY, 100) == TODAY.end


def test_another_zone_keeps_what_was_sent_in_its_own_day() -> None:
    usage = _sent(_quota(), (-11 * HOUR, 5), (0, 7))
    berlin = _quota(timeZone="Europe/Berlin")
    since_ten = Window(NOON - 2 * HOUR, NOON + 22 * HOUR)
    assert used(brought(usage, berlin, since_ten, NOON), berlin) == 7
    assert used(brought(usage, _quota(window="Rolling"), since_ten, NOON), ROLLING) == 12


def test_a_clock_that_goes_back_a_day_and_comes_again_forgets_no_day() -> None:
    quota, yesterday = _quota(), Window(TODAY.start - DAY, TODAY.start)
    usage = _sent(quota, (0, 30))
    usage = counted(brought(usage, quota, yesterday, NOON - DAY), quota, 5, NOON - DAY)
    assert used(usage, quota) >= 5
    assert used(brought(usage, quota, TODAY, NOON), quota) >= 30


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    usage = _sent(_quota(), (HOUR, 5))
    usage = counted(brought(usage, _quota(), TODAY, NOON), _quota(), 2, NOON)
    assert used(usage, _quota()) == 7
    assert usage.slots == (Slot(int(NOON + HOUR) // 900, 7),)


@pytest.mark.parametrize(("percent", "ordinary"), [(0, 100), (10, 90), (33, 67), (90, 10)])
def test_what_is_reserved_is_for_important_mail_alone(percent: int, ordinary: int) -> None:
    quota = _quota(reservePercent=percent)
    assert (cap(quota, 100, important=False), cap(quota, 100, important=True)) == (ordinary, 100)


@pytest.mark.parametrize(
    ("share", "parts"),
    [
        (Share(), [100]),
        (Share(of=3), [33, 33, 33]),
        (Share(of=3, changed=NOON, least=2, most=3), [33, 33, 0]),
        (Share(of=2, changed=NOON, least=2, most=3), [33, 33]),
        (Share(of=4, changed=NOON, least=1, most=5), [20, 0, 0, 0]),
        (Share(of=3, changed=TODAY.start, least=2, most=3), [33, 33, 33]),
    ],
    ids=["alone", "three", "one came", "one went", "many came and went", "before this period"],
)
def test_replicas_together_never_have_more_than_the_limit(share: Share, parts: list[int]) -> None:
    found = [allotted(_quota(), share, ordinal, TODAY) for ordinal in range(len(parts))]
    assert found == parts
    assert sum(found) <= 100


def test_who_came_later_has_what_was_given_for_this_period_alone() -> None:
    quota = _quota(late=10, lateUntil=int(TODAY.end))
    share = Share(of=3, changed=NOON, least=1, most=3)
    assert [allotted(quota, share, one, TODAY) for one in range(3)] == [33, 10, 10]
    yesterday = Window(TODAY.start - DAY, TODAY.start)
    assert [allotted(quota, share, one, yesterday) for one in range(3)] == [33, 0, 0]
    assert [allotted(quota, share, one, Window(TODAY.end, TODAY.end + DAY)) for one in range(3)] == [33, 33, 33]


def test_the_forecast_goes_by_the_rate_of_late() -> None:
    quota = _quota(limit=100)
    usage = _sent(quota, *((60.0 * minute, 1) for minute in range(-59, 1)))
    found = level(brought(usage, quota, TODAY, NOON), quota, TODAY, 100, NOON)
    assert (found.used, found.limit, found.reset) == (60, 100, TODAY.end)
    assert found.full == pytest.approx(NOON + 40 * 60, abs=5 * 60)


def test_nothing_is_foretold_of_a_quota_that_begins_anew_before() -> None:
    quota = _quota(limit=10_000)
    assert level(_sent(quota, (0, 60)), quota, TODAY, 10_000, NOON).full == 0


def test_nothing_is_foretold_when_nothing_was_sent_of_late() -> None:
    quota = _quota(limit=100)
    assert level(_sent(quota, (-6 * HOUR, 99)), quota, TODAY, 100, NOON).full == 0


def test_a_rolling_quota_that_gives_back_as_fast_as_it_is_used_is_never_full() -> None:
    slow = _sent(ROLLING, *((900.0 * number, 1) for number in range(-90, 1)))
    later = NOON + 890
    assert level(slow, ROLLING, _rolling(ROLLING, later), 100, later).full == 0
    fast = _sent(ROLLING, *((900.0 * number, 2) for number in range(-40, 1)))
    assert level(fast, ROLLING, _rolling(ROLLING, NOON), 100, NOON).full > NOON


def test_a_provider_s_own_word_shows_the_quota_as_full_until_it_begins_anew() -> None:
    quota = _quota()
    usage = _sent(quota, (0, 7))
    told = Usage(usage.rule, usage.start, usage.used, usage.slots, told=NOON)
    assert level(told, quota, TODAY, 100, NOON)[:2] == (100, 100)
    assert level(told, quota, TODAY, 100, NOON).told
    tomorrow = Window(TODAY.end, TODAY.end + DAY)
    assert not brought(told, quota, tomorrow, TODAY.end).told


@pytest.mark.parametrize(
    ("words", "period"),
    [
        ("454 Throttling failure: Daily message quota exceeded.", QuotaPeriod.DAY),
        ("550 5.4.5 Daily user sending limit exceeded", QuotaPeriod.DAY),
        ("452 Limit of recipients per 24 hours reached", QuotaPeriod.DAY),
        ("451 You have exceeded your monthly quota", QuotaPeriod.MONTH),
        ("450 4.7.1 more than 100 messages per hour", QuotaPeriod.HOUR),
        ("550 out of credits", None),
    ],
)
def test_a_reply_names_the_quota_that_it_means(words: str, period: QuotaPeriod | None) -> None:
    assert named_period(words) is period


def test_what_is_remembered_is_read_again() -> None:
    usage = _sent(_quota(), (0, 7), (HOUR, 5))
    assert Usage.from_json(usage.to_json()) == usage


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"used": "many"},
        {"slots": [[1]]},
        {"slots": 7},
        {"slots": [["a", "b"]]},
        {"start": "today"},
        {"used": float("inf")},
        {"told": None},
    ],
)
def test_what_cannot_be_read_is_nothing_used(stored: dict[str, Any]) -> None:
    assert Usage.from_json(stored) == Usage()


def test_a_ledger_s_memory_is_bounded() -> None:
    for period in QuotaPeriod:
        quota = _quota(period.value, window="Rolling")
        usage, now = Usage(), NOON
        for _ in range(400):
            now += SLOTS[period]
            usage = brought(usage, quota, Window(now - LENGTHS[period], now), now)
            usage = counted(usage, quota, 1, now)
        assert len(usage.slots) <= LENGTHS[period] / SLOTS[period] + 1


def test_a_few_messages_at_the_start_foretell_nothing() -> None:
    quota = _quota("Month", limit=100)
    month = Window(NOON - 86_400, NOON + 29 * 86_400)
    usage = Usage()
    for _ in range(40):
        usage = counted(brought(usage, quota, month, NOON + 60), quota, 1, NOON + 60)
    assert level(usage, quota, month, 100, NOON + 60).full == 0
    usage = counted(usage, quota, 20, NOON + 60)
    assert level(usage, quota, month, 100, NOON + 60).full > NOON


YEAR = 365 * DAY


@pytest.mark.parametrize("quota", [_quota(), ROLLING], ids=["calendar", "rolling"])
def test_what_a_clock_counted_that_was_far_ahead_was_sent_now_and_is_given_back_as_that(quota: Quota) -> None:
    def at(now: float, units: int, usage: Usage) -> Usage:
        day = (now - TODAY.start) // DAY * DAY
        there = _rolling(quota, now) if quota == ROLLING else Window(TODAY.start + day, TODAY.end + day)
        found = brought(usage, quota, there, now)
        return counted(found, quota, units, now) if units else found

    usage = at(NOON + YEAR, 5, Usage())
    for after, units in ((0, 10), (HOUR, 20)):
        usage = at(NOON + after, units, usage)
    assert used(usage, quota) == 35
    for days in (2, 4, 400):
        usage = at(NOON + days * DAY, 7, usage)
        assert used(usage, quota) == 7


def test_a_provider_that_said_it_is_full_to_a_clock_far_ahead_is_believed_for_this_period_only() -> None:
    usage = Usage("Rolling UTC 1", told=NOON + YEAR)
    usage = brought(usage, ROLLING, _rolling(ROLLING, NOON), NOON)
    assert (usage.told, usage.slots) == (NOON, ())
    later = NOON + 2 * DAY
    assert not brought(usage, ROLLING, _rolling(ROLLING, later), later).told
