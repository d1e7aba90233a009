"""A run tells what each target did, and is not clean when a rule was broken or a target could not run."""

from pathlib import Path

import pytest
from tests.fuzz import run
from tests.fuzz.run import fuzz

LOG = """#15	INITED cov: 77 ft: 141 corp: 11/393b exec/s: 0 rss: 43Mb
#87489	DONE   cov: 95 ft: 230 corp: 41/1286b lim: 400 exec/s: 5468 rss: 43Mb
Done 87489 runs in 16 second(s)
"""


def _ending(monkeypatch: pytest.MonkeyPatch, code: int, log: str, *files: Path) -> None:
    """Stand in for the process of a target."""

    def call(_arguments: list[str], output: int, _limit: float) -> int:
        Path(f"/proc/self/fd/{output}").write_text(log, encoding="ascii")
        for path in files:
            path.write_bytes(b"x")
        return code

    monkeypatch.setattr(run, "_call", call)


def test_a_run_tells_runs_coverage_and_new_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _ending(monkeypatch, 0, LOG, tmp_path / "addresses/new/a", tmp_path / "addresses/new/b")
    result = fuzz("addresses", 16, tmp_path)
    assert result.is_clean
    assert str(result) == "addresses: 87489 runs in 0 s, coverage 95, 2 new inputs, 0 broke a rule"


def test_an_input_that_breaks_a_rule_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = tmp_path / "addresses/found/broke-1"
    _ending(monkeypatch, 77, LOG.splitlines()[0], found)
    result = fuzz("addresses", 16, tmp_path)
    assert not result.is_clean
    assert result.found == (found,)


def test_a_target_that_could_not_run_is_not_clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _ending(monkeypatch, 1, "no module of that name")
    result = fuzz("addresses", 16, tmp_path)
    assert not result.is_clean
    assert "ended with 1, see" in str(result)
