"""What holds for every test: no task may leak, Hypothesis runs as configured, skips are told in one line, and what
tests against a cluster have measured is told too.

Profiles of Hypothesis: `dev` (default) is quick, `ci` looks harder and is repeatable; choose with HYPOTHESIS_PROFILE.
"""

import asyncio
import gc
import os
from asyncio import runners
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support import free_ports as ports
from tests.support.figures import figure_lines
from tests.support.sessions import counted
from tests.support.skips import skip_line

settings.register_profile("dev", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# Thousands of test modules are looked through for cycles again and again: a fifth of the time of `make check`.
gc.set_threshold(20_000, 20, 100)

# A loop that asyncio makes by itself, when pytest-asyncio asks for "the" loop between tests, is closed by nobody.
asyncio.set_event_loop(None)

_leaked: list[str] = []
_skipped: Counter[str] = Counter()
_printed: dict[str, str] = {}


def _notice_leaks() -> Callable[[asyncio.AbstractEventLoop], None]:
    cancel = runners._cancel_all_tasks  # type: ignore[attr-defined]

    def cancel_and_note(loop: asyncio.AbstractEventLoop) -> None:
        _leaked.extend(str(task.get_coro()) for task in asyncio.all_tasks(loop))
        cancel(loop)

    return cancel_and_note


# Every loop of a test ends here, be it pytest-asyncio's or that of asyncio.run: what still runs then has leaked.
runners._cancel_all_tasks = _notice_leaks()  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    """What was collected stays until the end: no look for cycles goes through it any more."""
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--totals`, for a program that runs several sessions."""
    parser.addoption(
        "--totals", type=Path, help="leave what came of the tests in this file (tests/support/sessions.py)"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Fail the test that left a task behind, once its loop is closed."""
    yield
    leaked = tuple(_leaked)
    _leaked.clear()
    if leaked:
        pytest.fail(f"the test left {len(leaked)} pending task(s); await or cancel them: {'; '.join(leaked)}", False)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the reasons of skips; keep what a test against a cluster has printed."""
    if report.when == "call" and report.passed and "tests/e2e/" in report.nodeid:
        _printed[report.nodeid] = report.capstdout
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was measured."""
    lines = figure_lines(_printed)
    if lines:
        terminalreporter.section("figures of tests against a cluster")
        terminalreporter.write("".join(f"{line}\n" for line in lines))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run with one line: what was skipped and why. A process of pytest-xdist, without a reporter, is silent."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("collectonly"):
        return
    reporter.write_line(skip_line(_skipped))
    if file := config.getoption("totals"):
        counted(reporter.stats, _skipped).write(file)


@pytest.fixture
def free_port() -> int:
    """A TCP port of loopback that a server can bind in a moment."""
    return ports.free_port()


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """A function that gives as many different free TCP ports of loopback as asked for."""
    return ports.free_ports


@pytest.fixture(autouse=True)
def _no_cluster_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide any KUBECONFIG from the code under test: a developer's own cluster is never touched."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
