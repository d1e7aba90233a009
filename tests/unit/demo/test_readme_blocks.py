"""The convention for documents that are run."""

from pathlib import Path

from tests.support.readme import Block, blocks, differs


def test_blocks_have_language_name_and_text(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text("a\n```yaml one.yaml\nkind: X\n```\nb\n```sh\nls\n```\n", encoding="utf-8")
    assert blocks(document) == [Block("yaml", "one.yaml", "kind: X\n"), Block("sh", "", "ls\n")]


def test_figures_and_white_space_do_not_count() -> None:
    assert differs("took 12 ms,\n  by inbox", "took 3.5 ms, by   inbox") == ""


def test_an_ellipsis_stands_for_anything() -> None:
    assert differs("begins … ends", "it begins so and ends well") == ""


def test_order_counts() -> None:
    assert differs("ends … begins", "it begins so and ends well") == "begins"


def test_what_is_not_there_is_told() -> None:
    assert differs("lost", "delivered") == "lost"
