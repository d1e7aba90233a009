"""docs/replies.md is in step with the table."""

from pathlib import Path

from tests.support.reply_page import page


def test_the_page_is_made_from_the_table() -> None:
    shown = (Path(__file__).resolve().parents[3] / "docs" / "replies.md").read_text(encoding="utf-8")
    assert shown == page(), "run `python -m tests.support.reply_page > docs/replies.md`"
