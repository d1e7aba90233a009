"""Durations and sizes: what is written means what Kubernetes means by it, and reads back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_operator.api.amounts import (
    Cores,
    Duration,
    Quantity,
    format_cores,
    format_duration,
    format_quantity,
    parse_cores,
    parse_duration,
    parse_quantity,
)
from mailhaul_operator.api.rules import RuleBroken


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("1h30m", 5400), ("1h", 3600), ("120h", 432_000), ("0s", 0), ("90m", 5400)],
)
def test_a_duration_is_its_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5d", "500ms", "1.5h", "-5m", "30s15m", " 5m", "5 m", "５m", "999999h"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("25Mi", 26_214_400),
        ("500k", 500_000),
        ("1048576", 1_048_576),
        ("1G", 10**9),
        ("2Ki", 2048),
        ("2Ti", 2**41),
        ("0", 0),
    ],
)
def test_a_size_is_its_bytes(text: str, number: int) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "25MB", "25 Mi", "1.5Gi", "-1", "1e3", "25mi", "10K"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_quantity(text)


@given(st.integers(0, 31_536_000))
def test_a_duration_reads_back_as_it_was_written(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 2**40))
def test_a_size_reads_back_as_it_was_written(number: int) -> None:
    assert parse_quantity(format_quantity(number)) == number


@pytest.mark.parametrize("value", ["59s", "2h1s", 3600, None, True, ["1h"]])
def test_a_duration_outside_of_its_bounds_or_not_text_is_refused(value: object) -> None:
    with pytest.raises(RuleBroken):
        Duration("1m", "2h").parse(value)


def test_a_duration_may_be_either_bound() -> None:
    assert [Duration("1m", "2h").parse(text) for text in ("1m", "2h")] == [60, 7200]


@pytest.mark.parametrize("value", ["1023", "2Gi", 1023, True, 1024.5, None])
def test_a_size_outside_of_its_bounds_or_no_size_is_refused(value: object) -> None:
    with pytest.raises(RuleBroken):
        Quantity("1Ki", "1Gi").parse(value)


def test_a_size_may_be_text_or_a_number() -> None:
    assert [Quantity("1Ki", "1Gi").parse(value) for value in ("1Ki", 1024, "1048576Ki")] == [1024, 1024, 2**30]


@pytest.mark.parametrize(
    ("text", "thousandths"), [("250m", 250), ("0.5", 500), ("2", 2000), ("1.25", 1250), ("0.001", 1), ("1500m", 1500)]
)
def test_processors_are_counted_in_thousandths(text: str, thousandths: int) -> None:
    assert parse_cores(text) == thousandths


@pytest.mark.parametrize("text", ["", ".5", "1.", "0.0001", "1k", "-1", "1e3", "m", "1.5m", "５"])
def test_anything_else_is_no_number_of_processors(text: str) -> None:
    with pytest.raises(ValueError, match="no number of processors"):
        parse_cores(text)


@given(st.integers(0, 256_000))
def test_processors_read_back_as_they_were_written(thousandths: int) -> None:
    assert parse_cores(format_cores(thousandths)) == thousandths


@pytest.mark.parametrize("value", [0, "0m", "257", 257, True, 0.5, None])
def test_processors_outside_of_their_bounds_or_a_fraction_without_quotes_are_refused(value: object) -> None:
    with pytest.raises(RuleBroken):
        Cores("1m", "256").parse(value)
