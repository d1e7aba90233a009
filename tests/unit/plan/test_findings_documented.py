"""Every reason is in docs/up.md with its severity and meaning, word for word, and no other is."""

from tests.support.repository import REPOSITORY

from mailhaul_operator.plan.findings import Reason


def test_the_table_of_reasons_is_that_of_the_code() -> None:
    text = (REPOSITORY / "docs" / "up.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| `") and "` | " in line]
    assert table == [f"| `{one.value}` | {one.severity.value} | {one.meaning} |" for one in Reason]
