"""Worlds in, statuses and events out, as files; and what holds for every one of them."""

import pytest
from tests.golden.assess.cases import CASES, assessed, expected, outcome, read, statuses

from mailhaul_operator.assess.patch import due_in
from mailhaul_operator.assess.reasons import Reason

ELSEWHERE = {Reason.INVALID}
"""Told of resources that do not parse, by `assess.invalid`."""


@pytest.mark.parametrize("case", CASES)
def test_the_case_is_told_as_its_file_says(case: str) -> None:
    assert outcome(case) == expected(case), "if this is meant: python -m tests.golden.assess.cases"


@pytest.mark.parametrize("case", CASES)
def test_two_assessments_of_an_equal_world_are_equal(case: str) -> None:
    assert assessed(case) == statuses(case)


@pytest.mark.parametrize("case", CASES)
def test_ready_is_always_there_and_work_and_failure_only_while_true_and_never_both(case: str) -> None:
    for _, generation, status in statuses(case):
        by_type = {one.type: one for one in status.conditions}
        assert len(by_type) == len(status.conditions)
        assert status.conditions[0].type == "Ready"
        assert {by_type[one].status.value for one in ("Reconciling", "Stalled") if one in by_type} <= {"True"}
        assert not {"Reconciling", "Stalled"} <= set(by_type)
        assert {one.observed_generation for one in status.conditions} == {status.observed_generation} == {generation}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_with_a_remedy_in_a_bounded_message(case: str) -> None:
    for _, _, status in statuses(case):
        ready = status.conditions[0]
        assert ready.status.value != "False" or "Remedy: " in ready.message
        assert all(0 < len(one.message) <= 1000 and one.message.isprintable() for one in status.conditions)


@pytest.mark.parametrize("case", CASES)
def test_a_step_that_changes_nothing_writes_nothing(case: str) -> None:
    for previous, (at, _, status) in zip(statuses(case), statuses(case)[1:], strict=False):
        if read(case).get("quiet"):
            assert due_in(previous[2], status, at) is None


def test_every_reason_has_a_case() -> None:
    seen = {one.reason for case in CASES for _, _, status in statuses(case) for one in status.conditions}
    assert seen == {one.value for one in set(Reason) - ELSEWHERE}
