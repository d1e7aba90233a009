"""`python -m tests.support.sessions`, called by `make test`: all tests, in two sessions of pytest one after the other.

First those of this machine alone, some of which measure it; then those against a cluster, module beside module
(tests/support/e2e/lanes.py). Each session prints what pytest prints, and leaves its totals in a file (`--totals`,
tests/conftest.py); the end is one line of both, as pytest closes, and one of what was skipped. Exit code 0 when both
sessions had 0. Ctrl-C ends the session that runs, which clears away, and no other begins.
"""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.skips import skip_line

SESSIONS = (
    ("tests", "--ignore=tests/e2e"),
    ("tests/e2e", "-v", "-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart=0"),
)
OUTCOMES = ("failed", "passed", "skipped", "xfailed", "xpassed", "error")
"""In the order and with the words of pytest."""
INTERRUPTED = 2
"""pytest's exit code after Ctrl-C."""


@dataclass(frozen=True)
class Totals:
    """What came of the tests of a session: how many had each outcome, and why some were skipped."""

    outcomes: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.outcomes + other.outcomes, self.skipped + other.skipped)

    def write(self, file: Path) -> None:
        """Leave them for the program that began the session."""
        file.write_text(json.dumps({"outcomes": self.outcomes, "skipped": self.skipped}))

    @staticmethod
    def read(file: Path) -> "Totals":
        """What was left; nothing when the session did not come to its end."""
        found = json.loads(file.read_text()) if file.exists() else {}
        return Totals(Counter(found.get("outcomes", {})), Counter(found.get("skipped", {})))


def counted(stats: Mapping[str, Sequence[object]], skipped: Counter[str]) -> Totals:
    """The totals of what pytest's terminal reporter has by outcome."""
    return Totals(Counter({name: len(stats.get(name, ())) for name in OUTCOMES}), skipped)


def closing_line(totals: Totals, seconds: float) -> str:
    """Close as pytest does: `5 failed, 6740 passed in 3228.12s`."""
    counts = [(totals.outcomes[name], name) for name in OUTCOMES if totals.outcomes[name]]
    parts = [f"{count} {name}{'s' if name == 'error' and count > 1 else ''}" for count, name in counts]
    return f"{', '.join(parts) or 'no tests ran'} in {seconds:.2f}s"


def main(sessions: Iterable[Sequence[str]] = SESSIONS) -> int:
    """Run the sessions; exit code."""
    signal.signal(signal.SIGINT, lambda *_: None)  # pytest gets it too; wait until it has cleared away
    began, worst, totals = time.monotonic(), 0, Totals()
    with TemporaryDirectory() as folder:
        for number, words in enumerate(sessions):
            file = Path(folder) / f"{number}.json"
            code = _pytest(*words, f"--totals={file}")
            totals, worst = totals + Totals.read(file), worst or code
            if code == INTERRUPTED:
                break
    sys.stdout.write(f"{closing_line(totals, time.monotonic() - began)}\n{skip_line(totals.skipped)}\n")
    return worst


def _pytest(*words: str) -> int:
    """Run a session, which prints where this program would; its exit code."""
    return subprocess.Popen([sys.executable, "-m", "pytest", *words]).wait()


if __name__ == "__main__":
    sys.exit(main())
