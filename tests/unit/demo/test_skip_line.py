"""A run ends with what was skipped and why, grouped."""

from collections import Counter

from tests.support.skips import skip_line


def test_nothing_skipped_is_said_too() -> None:
    assert skip_line(Counter()) == "Skipped nothing."


def test_reasons_are_grouped_and_the_most_frequent_comes_first() -> None:
    reasons = Counter({"needs a cluster": 1, "needs postfix": 3})
    assert skip_line(reasons) == "Skipped 4: 3 tests (needs postfix); 1 test (needs a cluster)."
