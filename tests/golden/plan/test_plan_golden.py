"""Resources in, relay configuration and findings out, as files."""

import json

import pytest
from tests.golden.plan.cases import CASES, expected, outcome

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.digest import digest
from mailhaul_operator.plan.findings import Reason

ELSEWHERE = {Reason.ONE_PROCESS, Reason.TOO_MANY_ALIASES}
"""The first is made by `up` (tests/unit/local), the second takes megabytes of aliases (tests/unit/plan)."""


@pytest.mark.parametrize("case", CASES)
def test_the_case_becomes_what_its_files_say(case: str) -> None:
    assert outcome(case).files == expected(case), "if this is meant: python -m tests.golden.plan.cases"


@pytest.mark.parametrize("case", CASES)
def test_the_bytes_are_a_configuration_that_the_relay_reads(case: str) -> None:
    for plan in outcome(case).plans:
        if plan.config:
            assert RelayConfig.from_json(json.loads(plan.content)) == plan.config
            assert plan.digest == digest(plan.content)


def test_every_reason_has_a_case() -> None:
    seen = {one["reason"] for case in CASES for one in json.loads(expected(case)["findings.json"])}
    assert seen == {one.value for one in set(Reason) - ELSEWHERE}
