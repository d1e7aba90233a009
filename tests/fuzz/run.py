"""Runs targets, two at a time, each in a process of its own under atheris, and tells what came of them.

`python -m tests.fuzz` calls it. What is new stays below the work folder, and so do the inputs that broke a rule.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.target import CORPORA

AT_ONCE = 2
MEMORY = 1024
"""MiB that a target may take; more is a finding."""
SLOWEST = 10
"""Seconds for one input; more is a finding."""
_GRACE = 60
_DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)
_PULSE = re.compile(r"^#(\d+)\s.*?\bcov: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target. `coverage` counts branches of our code, `added` are new inputs, `found` those that broke
    a rule; `error` says why it could not run, "" when it could.
    """

    name: str
    runs: int
    seconds: int
    coverage: int
    added: int
    found: tuple[Path, ...]
    error: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether no rule was broken, and it ran to its end."""
        return not self.found and not self.error

    def __str__(self) -> str:
        told = f"{self.runs} runs in {self.seconds} s, coverage {self.coverage}, {self.added} new inputs"
        return f"{self.name}: {told}, {len(self.found)} broke a rule" + (f"; {self.error}" if self.error else "")


def run(names: Iterable[str], seconds: int, work: Path, tell: Callable[[Result], None]) -> list[Result]:
    """Fuzz each target for so many seconds; `tell` is called as each ends."""

    def one(name: str) -> Result:
        result = fuzz(name, seconds, work)
        tell(result)
        return result

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, names))


def fuzz(name: str, seconds: int, work: Path) -> Result:
    """Fuzz one target from the kept inputs and those of earlier runs."""
    new, found, log = work / name / "new", work / name / "found", work / name / "log"
    for folder in (new, found):
        folder.mkdir(parents=True, exist_ok=True)
    before, known = set(new.iterdir()), set(found.iterdir())
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-dict={work / name / 'words'}",
    ]
    kept = [str(CORPORA / name)] if (CORPORA / name).is_dir() else []
    began = time.monotonic()
    with log.open("wb") as output:
        code = _call([name, *options, f"-artifact_prefix={found}/", str(new), *kept], output.fileno(), seconds + _GRACE)
    spent = round(time.monotonic() - began)
    runs, coverage = _figures(log.read_text(encoding="utf-8", errors="replace"))
    broke = tuple(sorted(set(found.iterdir()) - known))
    error = "" if code == 0 or broke else f"ended with {code}, see {log}"
    return Result(name, runs, spent, coverage, len(set(new.iterdir()) - before), broke, error)


def keep(name: str, work: Path) -> tuple[int, int]:
    """Keep of all inputs the fewest that reach as much code; gives how many there were and are."""
    merged, kept = work / name / "merged", CORPORA / name
    merged.mkdir(parents=True, exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    for old in merged.iterdir():
        old.unlink()
    before = list(kept.iterdir())
    # Without counters an input must reach a new branch, not one of them more often.
    options = ["-merge=1", "-use_counters=0"]
    folders = [str(merged), str(kept), str(work / name / "new")]
    with (work / name / "merge.log").open("wb") as output:
        code = _call([name, *options, *folders], output.fileno(), 600)
    chosen = list(merged.iterdir())
    if code or not chosen:
        raise RuntimeError(f"{name}: the inputs could not be merged, see {work / name / 'merge.log'}")
    for old in before:
        old.unlink()
    for one in chosen:
        shutil.move(one, kept / one.name)
    return len(before), len(chosen)


def _call(arguments: list[str], output: int, limit: float) -> int:
    command = [sys.executable, "-m", "tests.fuzz.drive", *arguments]
    try:
        return subprocess.run(command, stdout=output, stderr=output, timeout=limit, check=False).returncode
    except subprocess.TimeoutExpired:
        return -1


def _figures(text: str) -> tuple[int, int]:
    """Give runs and coverage as libFuzzer told them last; what broke a rule ended it between two of its lines."""
    done, pulses = _DONE.findall(text), _PULSE.findall(text)
    runs, coverage = map(int, pulses[-1]) if pulses else (0, 0)
    return (int(done[-1]) if done else runs), coverage
