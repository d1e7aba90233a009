"""Resources in, manifests out, as files."""

import pytest
from tests.golden.plan_objects.cases import CASES, expected, outcome


@pytest.mark.parametrize("case", CASES)
def test_the_case_becomes_what_its_files_say(case: str) -> None:
    assert outcome(case) == expected(case), "if this is meant: python -m tests.golden.plan_objects.cases"
