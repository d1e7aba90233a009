"""Cases of the bench by name."""

import pytest
from bench.cases import DEFAULT, CaseError, parse_case


@pytest.mark.parametrize("text", DEFAULT)
def test_the_default_cases_parse_to_their_own_names(text: str) -> None:
    assert parse_case(text).name == text


def test_a_rate_is_an_open_loop_of_ten_seconds() -> None:
    case = parse_case("4k:20:rate50")
    assert (case.mode, case.rate, case.count) == ("conn", 50.0, 500)


def test_a_count_may_be_given() -> None:
    assert parse_case("1m:5:reuse:7").count == 7


@pytest.mark.parametrize(
    "text", ["", "4k", "5k:20:conn", "4k:0:conn", "4k:x:conn", "4k:20:fast", "4k:20:conn:x", "4k:20:conn:1:2"]
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(CaseError, match="for example 4k:20:reuse"):
        parse_case(text)
