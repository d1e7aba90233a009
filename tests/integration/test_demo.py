"""`make demo` is a promise to a newcomer: it ends well, soon, leaves nothing behind, and touches no cluster."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]
LIMIT = 40.0
"""Seconds that issue and README promise."""
FAULTS = ("hangs", "refuses a From", "connections are refused", "535", "550 5.4.5")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple["subprocess.CompletedProcess[str]", float, Path]:
    folder = tmp_path_factory.mktemp("demo")
    environment = os.environ | {"TMPDIR": str(folder), "KUBECONFIG": str(folder / "is-never-read")}
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.support.demo"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done, time.monotonic() - begun, folder


def test_the_demo_ends_well_and_in_time(demo: tuple["subprocess.CompletedProcess[str]", float, Path]) -> None:
    done, seconds, _ = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert seconds < LIMIT


@pytest.mark.parametrize("fault", FAULTS)
def test_the_demo_shows_each_fault_with_the_status_after_it(
    demo: tuple["subprocess.CompletedProcess[str]", float, Path], fault: str
) -> None:
    acts = demo[0].stdout.split("\n\n")
    act = next(act for act in acts if act[:1].isdigit() and fault in act.splitlines()[0])
    assert "[by inbox]" in act
    assert "$ mailhaul status" in act


def test_the_demo_says_that_nothing_is_missing_or_doubled(
    demo: tuple["subprocess.CompletedProcess[str]", float, Path],
) -> None:
    assert "each arrived once, none is missing or doubled" in demo[0].stdout.splitlines()[-1]


def test_the_demo_leaves_nothing_behind(demo: tuple["subprocess.CompletedProcess[str]", float, Path]) -> None:
    assert list(demo[2].iterdir()) == []
