"""Times in resources are aware, in whole seconds, and the same second when they are read back."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_operator.api.conditions import Condition, ConditionStatus
from mailhaul_operator.api.moments import epoch, moment


def test_a_moment_is_in_utc_and_has_no_part_of_a_second() -> None:
    assert moment(1_795_269_599.999) == datetime(2026, 11, 21, 13, 59, 59, tzinfo=UTC)
    assert moment(0).tzinfo is UTC


@given(st.integers(0, 4_102_444_800))
def test_whole_seconds_come_back_as_they_were(seconds: int) -> None:
    assert epoch(moment(seconds)) == seconds


def test_a_moment_is_written_as_kubernetes_writes_it_and_read_back() -> None:
    at = moment(1_795_269_599)
    ready = Condition(type="Ready", status=ConditionStatus.TRUE, last_transition_time=at, reason="MailLeaves")
    written = ready.to_json()
    assert written["lastTransitionTime"] == "2026-11-21T13:59:59Z"
    assert Condition.from_json(written) == ready
