"""`make test` runs several sessions of pytest and ends with what came of all of them."""

import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.support import sessions
from tests.support.sessions import Totals, closing_line, counted


def test_totals_are_counted_left_and_added(tmp_path: Path) -> None:
    one = counted({"passed": [1, 2], "failed": [3], "warnings": [4]}, Counter({"needs X": 1}))
    one.write(tmp_path / "one")
    both = Totals.read(tmp_path / "one") + counted({"passed": [5], "skipped": [6]}, Counter({"needs X": 2}))
    assert (both.outcomes, both.skipped) == (Counter(passed=3, failed=1, skipped=1), Counter({"needs X": 3}))


def test_a_session_that_did_not_end_counts_nothing(tmp_path: Path) -> None:
    assert Totals.read(tmp_path / "absent") == Totals()


def test_the_closing_line_is_pytests() -> None:
    totals = Totals(Counter(passed=6740, failed=5, error=1, skipped=0))
    assert closing_line(totals, 3228.1234) == "5 failed, 6740 passed, 1 error in 3228.12s"
    assert closing_line(Totals(Counter(error=2)), 1) == "2 errors in 1.00s"
    assert closing_line(Totals(), 0.5) == "no tests ran in 0.50s"


@pytest.mark.parametrize(("codes", "began", "code"), [((0, 0), 2, 0), ((1, 0), 2, 1), ((0, 5), 2, 5), ((2, 0), 1, 2)])
def test_a_bad_session_stops_no_other_and_ctrl_c_does(
    codes: tuple[int, ...],
    began: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ran = iter(codes)
    monkeypatch.setattr(sessions, "_pytest", lambda *_: next(ran))
    assert sessions.main([("a",), ("b",)]) == code
    assert len(codes) - len(list(ran)) == began
    assert capsys.readouterr().out.splitlines()[-1] == "Skipped nothing."
