"""Spans of time as people type them."""

import pytest

from mailhaul_operator.mail.spans import seconds


@pytest.mark.parametrize(
    ("text", "value"), [("1s", 1), ("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("1d12h", 129_600)]
)
def test_a_span_has_units(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "5", "0s", "1w", "1m1h", "-1s", "1.5h", "4000d", "٣d", " 1s", "9" * 9 + "s"])
def test_what_is_no_span_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30s, 15m, 2h or 3d"):
        seconds(text)
