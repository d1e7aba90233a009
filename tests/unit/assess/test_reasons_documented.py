"""Every reason is in docs/status.md with its meaning and remedy, word for word; and the plan's are all among them."""

from tests.support.repository import REPOSITORY

from mailhaul_operator.assess.reasons import Reason, reason_of, table
from mailhaul_operator.plan.findings import Reason as Found

NEVER_OF_AN_OBJECT = {Found.ONE_PROCESS, Found.NO_RELAY, Found.UNREADABLE, Found.PROVIDER_NOT_USED}
"""Told by `validate` and `up` only, or by a condition with a reason of its own (NotInUse)."""


def test_the_table_of_reasons_is_that_of_the_code() -> None:
    text = (REPOSITORY / "docs" / "status.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| `") and line.count("|") == 4]
    assert lines == table(), "if this is meant: python -m tests.unit.assess.test_reasons_documented"


def test_every_reason_has_a_meaning_that_is_a_sentence() -> None:
    assert not [one for one in Reason if not one.meaning.endswith(".") or "|" in one.meaning + one.remedy]


def test_what_the_plan_finds_keeps_its_reason() -> None:
    assert {one for one in Found if reason_of(one) is Reason.NOT_APPLIED} == NEVER_OF_AN_OBJECT


if __name__ == "__main__":
    page = REPOSITORY / "docs" / "status.md"
    known = page.read_text().splitlines()
    rows = [index for index, line in enumerate(known) if line.startswith("| `") and line.count("|") == 4]
    page.write_text("\n".join([*known[: rows[0]], *table(), *known[rows[-1] + 1 :]]) + "\n")
