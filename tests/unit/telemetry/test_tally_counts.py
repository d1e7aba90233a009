"""Counters: the last day forgets, histograms count every duration once."""

from mailhaul_relay.telemetry.tally import Histogram, LastDay, Tally

HOUR = 3600.0
NOW = 1_790_000_000.0


def test_the_last_day_counts_24_hours() -> None:
    day = LastDay()
    for hour in range(48):
        day.add(NOW + hour * HOUR)
    assert day.total(NOW + 47 * HOUR) == 24


def test_the_last_day_forgets_while_nothing_happens() -> None:
    day = LastDay()
    day.add(NOW, 5)
    assert day.total(NOW + 23 * HOUR) == 5
    assert day.total(NOW + 25 * HOUR) == 0


def test_the_last_day_stays_small() -> None:
    day = LastDay()
    for hour in range(10_000):
        day.add(NOW + hour * HOUR)
    assert len(day._buckets) <= 25


def test_a_clock_that_was_set_back_leaves_nothing_of_the_future_in_the_last_day() -> None:
    day = LastDay()
    day.add(NOW, 5)
    for hour in range(30):
        day.add(NOW + (1000 + hour) * HOUR, 7)
    assert day.total(NOW) == 0
    for _ in range(3):
        day.add(NOW + HOUR)
    assert day.total(NOW + HOUR) == 3
    assert day.total(NOW + 25 * HOUR) == 0


def test_a_duration_is_in_one_bucket_its_bound_included() -> None:
    histogram = Histogram()
    for seconds in (0.0, Histogram.BOUNDS[0], Histogram.BOUNDS[-1], 1e9):
        histogram.observe(seconds)
    assert sum(histogram.counts) == 4
    assert (histogram.counts[0], histogram.counts[-2], histogram.counts[-1]) == (2, 1, 1)


def test_tallies_of_upstreams_and_aliases_are_made_once() -> None:
    tally = Tally()
    assert tally.upstream("a") is tally.upstream("a")
    assert tally.alias("ns/a") is tally.alias("ns/a")
