"""Header dates by arithmetic agree with the standard library."""

from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

from hypothesis import example, given
from hypothesis import strategies as st

from mailhaul_relay.policy.dates import header_date


@given(st.integers(min_value=0, max_value=253_402_300_799))
@example(951_782_400)  # 29 February 2000
@example(4_107_542_400)  # 1 March 2100, which has no leap day before it
def test_header_date_is_that_of_the_standard_library(seconds: int) -> None:
    assert header_date(seconds) == format_datetime(datetime.fromtimestamp(seconds, UTC))


def test_fractions_of_a_second_are_cut() -> None:
    assert header_date(1_700_000_000.999) == formatdate(1_700_000_000, usegmt=False).replace("-0000", "+0000")
