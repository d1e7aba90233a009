"""A run says what its tests have measured, and a talkative one does not fill the page."""

from tests.support.figures import LONGEST, MOST_LINES, figure_lines


def test_each_test_is_told_with_what_it_printed() -> None:
    printed = {"tests/e2e/a.py::one": "Ready 3.1 s\n\nall 94 arrived\n", "tests/e2e/a.py::silent": "\n"}
    assert figure_lines(printed) == ["tests/e2e/a.py::one", "  Ready 3.1 s", "  all 94 arrived"]


def test_a_page_is_cut() -> None:
    _, *lines = figure_lines({"a": "\n".join(["x" * 1000] * (MOST_LINES + 3))})
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "  and 3 more lines"
    assert max(map(len, lines)) == LONGEST + 2


def test_nothing_is_told_of_nothing() -> None:
    assert figure_lines({}) == []
